import { createServer, connect as dial, type Socket } from 'node:net';
import { Client, connect } from '@planetscale/database';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { freshDatabase, mysqlForTests } from '../support/engines.ts';
import {
  failureOf,
  type GatewayOverDatabase,
  gatewayOverFreshDatabase,
  password as secret,
  username,
} from '../support/planetscale-gateway.ts';

/** Statements whose caller has disconnected. */

let gateway: GatewayOverDatabase;
/** On the same database, with two connections for each kind. */
let narrow: Awaited<ReturnType<typeof startPlanetscaleGateway>>;

beforeAll(async () => {
  gateway = await gatewayOverFreshDatabase();
  const { host, port, user, password } = mysqlForTests();
  const primary = { host, port, user, password, database: gateway.database };
  narrow = await startPlanetscaleGateway({ primary, username, password: secret, poolSize: 2, poolWaitSeconds: 60 });
  await gateway.client.execute('CREATE TABLE entry (id VARCHAR(40) PRIMARY KEY) ENGINE=InnoDB');
});
beforeEach(() => gateway.client.execute('DELETE FROM entry'));
afterAll(async () => {
  await narrow?.stop();
  await gateway?.stop();
});

/** A client whose requests can be given up. */
function impatient(url: string) {
  const leave = new AbortController();
  const client = new Client({
    url,
    fetch: (input, init) => fetch(input, { ...(init as RequestInit), signal: leave.signal }),
  });
  return { client, leave: () => leave.abort() };
}

/** Sends the statement, waits until the server runs it, and disconnects. */
async function abandon(through: { url: string }, sql: string): Promise<void> {
  const { client, leave } = impatient(through.url);
  const lost = failureOf(client.execute(sql));
  await expect.poll(() => running(sql), { timeout: 10_000, interval: 20 }).toBeGreaterThan(0);
  leave();
  await lost;
}

async function running(sql: string): Promise<number> {
  const like = 'SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = ? AND info = ?';
  const { rows } = await gateway.client.execute(like, [gateway.database, sql]);
  return Number((rows[0] as { n: string }).n);
}

const ids = async () => (await gateway.client.execute('SELECT id FROM entry', null, { as: 'array' })).rows.flat();

test('they end on the server', async () => {
  await abandon(gateway, 'SELECT SLEEP(111)');
  await expect.poll(() => running('SELECT SLEEP(111)'), { timeout: 10_000 }).toBe(0);
});

test('they keep no place in the pool', async () => {
  for (let turn = 0; turn < 4; turn += 1) await abandon(narrow, `SELECT SLEEP(11${turn})`);
  expect((await new Client({ url: narrow.url }).execute('SELECT 1')).size).toBe(1);
});

test('a write that waits for a lock is ended and changes nothing', async () => {
  const holder = connect({ url: gateway.url });
  await holder.execute('BEGIN');
  await holder.execute("INSERT INTO entry (id) VALUES ('contested')");
  await abandon(gateway, "INSERT INTO entry (id) VALUES ('contested')");
  await expect.poll(() => running("INSERT INTO entry (id) VALUES ('contested')"), { timeout: 10_000 }).toBe(0);
  await holder.execute('ROLLBACK');
  expect(await ids()).toEqual([]);
});

test('their transaction is rolled back, its locks are released, and the error says why', async () => {
  const { client, leave } = impatient(gateway.url);
  const connection = client.connection();
  await connection.execute('BEGIN');
  await connection.execute("INSERT INTO entry (id) VALUES ('held')");
  const session = (connection as unknown as { session: unknown }).session;
  const lost = failureOf(connection.execute('SELECT SLEEP(112)'));
  await expect.poll(() => running('SELECT SLEEP(112)'), { timeout: 10_000 }).toBe(1);
  leave();
  await lost;
  await gateway.client.execute("INSERT INTO entry (id) VALUES ('held')");
  const again = connect({ url: gateway.url });
  Object.assign(again, { session });
  expect((await failureOf(again.execute('COMMIT'))).message).toMatch(/ended at .* \(caller disconnected\)/);
});

test('a transaction that its caller never learned of is rolled back', async () => {
  const { client, leave } = impatient(narrow.url);
  const connection = client.connection();
  await connection.execute('BEGIN');
  const first = "INSERT INTO entry (id) SELECT CONCAT('first', SLEEP(3))";
  const lost = failureOf(connection.execute(first));
  await expect.poll(() => running(first), { timeout: 20_000 }).toBe(1);
  leave();
  await lost;
  const metrics = () => fetch(`${new URL(narrow.url).origin}/metrics`).then((response) => response.text());
  await expect.poll(metrics, { timeout: 10_000 }).toMatch(/^planetscale_gateway_transactions_open 0$/m);
  expect(await metrics()).toMatch(/^planetscale_gateway_abandoned_total [1-9]/m);
});

test('those that wait for a connection leave the queue', async () => {
  const busy = [0, 1].map(() => impatient(narrow.url));
  const holding = busy.map(({ client }) => failureOf(client.execute('SELECT SLEEP(113)')));
  await expect.poll(() => running('SELECT SLEEP(113)'), { timeout: 10_000 }).toBe(2);
  const waiting = Array.from({ length: 10 }, () => impatient(narrow.url));
  const lost = waiting.map(({ client }, index) =>
    failureOf(client.execute(`INSERT INTO entry (id) VALUES ('queued ${index}')`)),
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const { leave } of waiting) leave();
  await Promise.all(lost);
  for (const { leave } of busy) leave();
  await Promise.all(holding);
  expect((await new Client({ url: narrow.url }).execute('SELECT 1')).size).toBe(1);
  expect(await ids()).toEqual([]);
});

test('after a line that was silent under impatient callers, reads are served at once', async () => {
  const database = await freshDatabase('psdb');
  const line = await silentLine(database);
  const primary = { ...database, host: '127.0.0.1', port: line.port };
  const over = await startPlanetscaleGateway({ primary, username, password: secret, poolSize: 2 });
  const client = new Client({ url: over.url });
  await client.execute('SELECT 1');
  line.silence();
  const end = performance.now() + 3_000;
  const caller = async () => {
    while (performance.now() < end) {
      const { client: hasty, leave } = impatient(over.url);
      setTimeout(leave, 300);
      await failureOf(hasty.execute('SELECT 1'));
    }
  };
  await Promise.all(Array.from({ length: 10 }, caller));
  line.speak();
  const resumed = performance.now();
  expect((await client.execute('SELECT 1')).size).toBe(1);
  expect(performance.now() - resumed).toBeLessThan(5_000);
  await over.stop();
  line.close();
  await database.drop();
});

test('idle connections whose line was cut without a sign cost one caller about a second', async () => {
  const database = await freshDatabase('psdb');
  const line = await silentLine(database);
  const primary = { ...database, host: '127.0.0.1', port: line.port };
  const over = await startPlanetscaleGateway({ primary, username, password: secret, poolSize: 8 });
  const client = new Client({ url: over.url });
  await Promise.all(Array.from({ length: 8 }, () => client.execute('SELECT SLEEP(0.3)')));
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  line.silence();
  line.speakOnNewConnections();
  const began = performance.now();
  for (let call = 0; call < 8; call += 1) expect((await client.execute('SELECT 1')).size).toBe(1);
  expect(performance.now() - began).toBeLessThan(5_000);
  await over.stop();
  line.close();
  await database.drop();
});

/** A TCP relay that can stop to pass on anything, with its connections open; new ones are accepted. */
async function silentLine(target: { host: string; port: number }) {
  const sockets = new Set<Socket>();
  let silent = false;
  const server = createServer((near) => {
    const far = dial(target.port, target.host);
    for (const socket of [near, far]) {
      sockets.add(socket.on('error', () => {}));
      socket.on('close', () => sockets.delete(socket));
      if (silent) socket.pause();
    }
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => near.write(data));
    near.on('end', () => far.end());
    far.on('end', () => near.end());
    if (silent) for (const socket of [near, far]) socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    silence: () => {
      silent = true;
      for (const socket of sockets) socket.pause();
    },
    speakOnNewConnections: () => {
      silent = false;
    },
    speak: () => {
      silent = false;
      for (const socket of sockets) socket.resume();
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
