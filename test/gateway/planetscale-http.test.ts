import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { Client, type Connection, connect } from '@planetscale/database';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { GatewayFault } from '../../gateway/faults.ts';
import { startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { freshDatabase } from '../support/engines.ts';
import {
  failureOf,
  type GatewayOverDatabase,
  gatewayOverFreshDatabase,
  password,
  username,
} from '../support/planetscale-gateway.ts';

let gateway: GatewayOverDatabase;
let fault: GatewayFault | undefined;

beforeAll(async () => {
  gateway = await gatewayOverFreshDatabase({ intercept: () => fault });
  await gateway.client.execute('CREATE TABLE hit (id INT PRIMARY KEY)');
});

afterEach(() => {
  fault = undefined;
});

afterAll(() => gateway.stop());

const basic = (user: string, secret: string): string => `Basic ${btoa(`${user}:${secret}`)}`;

async function post(
  method: string,
  body: string,
  authorization = basic(username, password),
): Promise<[number, unknown]> {
  const response = await fetch(`${gateway.origin}/psdb.v1alpha1.Database/${method}`, {
    method: 'POST',
    headers: authorization ? { authorization } : {},
    body,
  });
  return [response.status, await response.json()];
}

test('wrong, missing and malformed credentials get the same 401 answer', async () => {
  const refusal = [401, { error: { code: 'unauthenticated', message: 'invalid auth credentials' } }];
  const statement = JSON.stringify({ query: 'SELECT 1' });
  const presented = [
    basic(username, 'wrong'),
    basic('other', password),
    basic(username, ''),
    'Basic !!!',
    'Bearer x',
    '',
  ];
  for (const authorization of presented) expect(await post('Execute', statement, authorization)).toEqual(refusal);
  const client = new Client({ url: gateway.url.replace(/:[^:@]*@/, ':wrong@') });
  expect(await failureOf(client.execute('SELECT 1'))).toMatchObject({
    status: 401,
    message: 'invalid auth credentials',
  });
});

test('a password is accepted in plain form and percent-encoded', async () => {
  for (const secret of [password, encodeURIComponent(password)]) {
    expect((await post('Execute', JSON.stringify({ query: 'SELECT 1' }), basic(username, secret)))[0]).toBe(200);
  }
});

test('a body that is not a JSON object, or has no query, is refused with 400', async () => {
  for (const body of ['{', '[]', '"x"', '{"query":1}', '{}', '{"query":"SELECT 1","session":{"signature":1}}']) {
    expect(await post('Execute', body)).toMatchObject([400, { error: { code: 'invalid_argument' } }]);
  }
});

test('an unknown method is refused with 404', async () => {
  expect(await post('Explode', '{}')).toMatchObject([404, { error: { code: 'unimplemented' } }]);
});

test('sessions are created, kept and closed; closing a session rolls its transaction back', async () => {
  const connection = connect({ url: gateway.url });
  await connection.refresh();
  const [, created] = await post('CreateSession', '{}');
  expect(created).toMatchObject({
    branch: 'main',
    user: { username },
    session: { vitessSession: { autocommit: true } },
  });
  const [, begun] = await post(
    'Execute',
    JSON.stringify({ query: 'BEGIN', session: (created as { session: unknown }).session }),
  );
  const insert = { query: 'INSERT INTO hit VALUES (77)', session: (begun as { session: unknown }).session };
  const [, inserted] = await post('Execute', JSON.stringify(insert));
  const [status, closed] = await post(
    'CloseSession',
    JSON.stringify({ session: (inserted as { session: unknown }).session }),
  );
  expect([status, JSON.stringify(closed).includes('inTransaction')]).toEqual([200, false]);
  expect((await gateway.client.execute('SELECT id FROM hit WHERE id = 77')).size).toBe(0);
});

test('metrics count the requests, and contain no names or secrets', async () => {
  gateway.resetStats();
  await gateway.client.execute('SELECT 1');
  await gateway.client.transaction((tx) => tx.execute('SELECT 1'));
  expect(gateway.stats()).toEqual({ requests: 4 });
  const metrics = await (await fetch(`${gateway.origin}/metrics`)).text();
  expect(metrics).toMatch(/^planetscale_gateway_statements_total \d+$/m);
  expect(metrics).toMatch(/^planetscale_gateway_transactions_open 0$/m);
  expect(metrics).not.toContain(username);
});

test('a connection cut before the work changes nothing; cut after the work, all of it is done', async () => {
  fault = { kind: 'drop-before' };
  await failureOf(gateway.client.execute('INSERT INTO hit VALUES (1)'));
  fault = { kind: 'drop-after' };
  await failureOf(gateway.client.execute('INSERT INTO hit VALUES (2)'));
  fault = { kind: 'status', status: 502, body: '<html>Bad Gateway</html>', contentType: 'text/html' };
  expect(await failureOf(gateway.client.execute('INSERT INTO hit VALUES (3)'))).toMatchObject({ status: 502 });
  fault = undefined;
  expect((await gateway.client.execute('SELECT id FROM hit', null, { as: 'array' })).rows).toEqual([[2]]);
});

test('a request that gets no connection in time is refused with the error text of Vitess; the next one is served', async () => {
  const narrow = await gatewayOverFreshDatabase({ poolSize: 2, poolWaitSeconds: 0.2 });
  const open = [connect({ url: narrow.url }), connect({ url: narrow.url }), connect({ url: narrow.url })];
  for (const connection of open) await connection.execute('BEGIN');
  await open[0]?.execute('SELECT 1');
  await open[1]?.execute('SELECT 1');
  const error = await failureOf((open[2] as Connection).execute('SELECT 1'));
  expect(error.message).toContain('code = ResourceExhausted desc = transaction pool connection limit exceeded');
  expect((await narrow.client.execute('SELECT 1')).size).toBe(1);
  await open[0]?.execute('COMMIT');
  expect((await open[2]?.execute('SELECT 1'))?.size).toBe(1);
  await narrow.stop();
});

test('a stop ends running statements and closes every connection to MySQL', async () => {
  const stopped = await gatewayOverFreshDatabase();
  const connection = connect({ url: stopped.url });
  await connection.execute('BEGIN');
  await connection.execute('CREATE TABLE IF NOT EXISTS half (id INT)');
  await connection.execute('BEGIN');
  await connection.execute('INSERT INTO half VALUES (1)');
  const running = failureOf(stopped.client.execute('SELECT SLEEP(60)'));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await stopped.stop();
  await running;
  // MySQL takes a moment to end the thread of a connection that was closed.
  const count = 'SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = ?';
  const left = async () => (await gateway.client.execute(count, [stopped.database])).rows;
  await expect.poll(left, { timeout: 10_000 }).toEqual([{ n: '0' }]);
});

test('when MySQL is down, a running statement fails and new ones get 503 without an address, until it is back', async () => {
  const database = await freshDatabase('psdb');
  const line = await cuttableLine(database);
  const over = await startPlanetscaleGateway({
    primary: { ...database, host: '127.0.0.1', port: line.port },
    username,
    password,
  });
  const client = new Client({ url: over.url });
  await client.execute('SELECT 1');
  const interrupted = failureOf(client.execute('SELECT SLEEP(20)'));
  const sleeping = 'SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = ? AND info LIKE ?';
  const seen = async () => (await gateway.client.execute(sleeping, [database.database, 'SELECT SLEEP%'])).rows;
  await expect.poll(seen, { timeout: 20_000 }).toEqual([{ n: '1' }]);
  await line.cut();
  expect((await interrupted).message).toContain('Lost connection to MySQL server during query (errno 2013)');
  const whileDown = await failureOf(client.execute('SELECT 1'));
  expect(whileDown).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  expect(whileDown.message).not.toMatch(/127\.0\.0\.1|ECONN/);
  await line.restore();
  expect((await client.execute('SELECT 1')).size).toBe(1);
  await over.stop();
  await line.cut();
  await database.drop();
});

/** A TCP relay to `target` that can be cut and restored on the same port. */
async function cuttableLine(target: { host: string; port: number }) {
  const sockets = new Set<Socket>();
  const open = (port: number): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((near) => {
        const far = dial(target.port, target.host);
        for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
        near.pipe(far).pipe(near);
      }).listen(port, '127.0.0.1', () => resolve(server));
    });
  let server = await open(0);
  const { port } = server.address() as { port: number };
  return {
    port,
    cut: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    restore: async () => {
      server = await open(port);
    },
  };
}
