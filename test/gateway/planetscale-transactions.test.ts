import { Client, type Connection, connect } from '@planetscale/database';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type PlanetscaleGateway, startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { mysqlForTests } from '../support/engines.ts';
import {
  failureOf,
  type GatewayOverDatabase,
  gatewayOverFreshDatabase,
  password as secret,
  username,
} from '../support/planetscale-gateway.ts';

let gateway: GatewayOverDatabase;
/** On the same database, with short limits: for tests that leave a transaction open and need its locks to end soon. */
let hasty: PlanetscaleGateway;
const HASTY_SECONDS = 2;
let dropNext: { sql: string } | undefined;

beforeAll(async () => {
  gateway = await gatewayOverFreshDatabase({
    intercept: ({ sql }) => {
      if (sql === undefined || sql !== dropNext?.sql) return undefined;
      dropNext = undefined;
      return { kind: 'drop-after' };
    },
  });
  const { host, port, user, password } = mysqlForTests();
  const primary = { host, port, user, password, database: gateway.database };
  hasty = await startPlanetscaleGateway({ primary, username, password: secret, transactionSeconds: HASTY_SECONDS });
  await gateway.client.execute(
    'CREATE TABLE entry (id VARCHAR(40) PRIMARY KEY, n INT NOT NULL DEFAULT 0) ENGINE=InnoDB',
  );
});

beforeEach(() => gateway.client.execute('DELETE FROM entry'));
afterAll(async () => {
  await hasty?.stop();
  await gateway?.stop();
});

async function ids(): Promise<unknown[]> {
  const { rows } = await gateway.client.execute('SELECT id FROM entry ORDER BY id', null, { as: 'array' });
  return rows.flat();
}

async function begun(through: PlanetscaleGateway = gateway): Promise<Connection> {
  const connection = connect({ url: through.url });
  await connection.execute('BEGIN');
  return connection;
}

test('other connections see a transaction after its commit and not before', async () => {
  await gateway.client.transaction(async (tx) => {
    await tx.execute("INSERT INTO entry (id) VALUES ('a')");
    await tx.execute("INSERT INTO entry (id) VALUES ('b')");
    expect(await ids()).toEqual([]);
  });
  expect(await ids()).toEqual(['a', 'b']);
});

test('an error in a transaction rolls everything back and reaches the caller', async () => {
  await gateway.client.execute("INSERT INTO entry (id) VALUES ('taken')");
  const work = gateway.client.transaction(async (tx) => {
    await tx.execute("INSERT INTO entry (id) VALUES ('a')");
    await tx.execute("INSERT INTO entry (id) VALUES ('taken')");
  });
  expect((await failureOf(work)).message).toContain('(errno 1062)');
  expect(await ids()).toEqual(['taken']);
});

test('two first statements sent at once open two transactions, and one of them is lost', async () => {
  await new Client({ url: hasty.url }).transaction(async (tx) => {
    await Promise.all([
      tx.execute("INSERT INTO entry (id) VALUES ('left')"),
      tx.execute("INSERT INTO entry (id) VALUES ('right')"),
    ]);
  });
  expect(await ids()).toHaveLength(1);
});

test('a second statement is refused while the first one of the session is running', async () => {
  const connection = await begun();
  await connection.execute("INSERT INTO entry (id) VALUES ('a')");
  const results = await Promise.allSettled([connection.execute('SELECT SLEEP(0.3)'), connection.execute('SELECT 1')]);
  const refused = results.find((result) => result.status === 'rejected');
  expect(refused?.reason.message).toMatch(
    /code = Aborted desc = transaction \d+: in use: for query \(CallerID: wendy\)$/,
  );
  await connection.execute('ROLLBACK');
});

test('a transaction that exceeds its time limit is rolled back, and the error says so', async () => {
  const connection = await begun(hasty);
  await connection.execute("INSERT INTO entry (id) VALUES ('late')");
  await new Promise((resolve) => setTimeout(resolve, HASTY_SECONDS * 1000 + 300));
  const error = await failureOf(connection.execute('COMMIT'));
  expect(error.message).toMatch(
    /code = Aborted desc = transaction \d+: ended at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \(exceeded timeout: 2s\)/,
  );
  await connection.execute('ROLLBACK');
  expect(await ids()).toEqual([]);
});

test('a statement that is running at the time limit is ended on the server, and its locks are released', async () => {
  const connection = await begun(hasty);
  await connection.execute("INSERT INTO entry (id) VALUES ('held')");
  expect((await failureOf(connection.execute('SELECT SLEEP(60)'))).message).toContain('exceeded timeout: 2s');
  await gateway.client.execute("INSERT INTO entry (id) VALUES ('held')");
  expect(await ids()).toEqual(['held']);
});

test('after a deadlock the loser is rolled back, gets the deadlock error and cannot commit a part', async () => {
  await gateway.client.execute("INSERT INTO entry (id) VALUES ('x'), ('y')");
  const [one, two] = [await begun(), await begun()];
  await one.execute("UPDATE entry SET n = n + 1 WHERE id = 'x'");
  await two.execute("UPDATE entry SET n = n + 1 WHERE id = 'y'");
  const pair = await Promise.allSettled([
    one.execute("UPDATE entry SET n = n + 1 WHERE id = 'y'"),
    two.execute("UPDATE entry SET n = n + 1 WHERE id = 'x'"),
  ]);
  const lost = pair.findIndex((result) => result.status === 'rejected');
  const [loser, winner] = lost === 0 ? [one, two] : [two, one];
  expect((pair[lost] as PromiseRejectedResult).reason.message).toContain('code = Aborted desc = Deadlock found');
  expect((await failureOf(loser.execute("UPDATE entry SET n = 9 WHERE id = 'x'"))).message).toContain('rolled back');
  await loser.execute('ROLLBACK');
  await winner.execute('COMMIT');
  const { rows } = await gateway.client.execute('SELECT n FROM entry ORDER BY id', null, { as: 'array' });
  expect(rows).toEqual([[1], [1]]);
});

test('when the reply of a COMMIT is lost, the row is committed', async () => {
  dropNext = { sql: 'COMMIT' };
  await failureOf(gateway.client.transaction((tx) => tx.execute("INSERT INTO entry (id) VALUES ('paid')")));
  expect(dropNext).toBeUndefined();
  expect(await ids()).toEqual(['paid']);
});

test('a statement takes effect also when its client disconnects', async () => {
  const disconnect = new AbortController();
  const impatient = new Client({
    url: gateway.url,
    fetch: (url, init) => fetch(url, { ...(init as RequestInit), signal: disconnect.signal }),
  });
  const statement = failureOf(impatient.execute("INSERT INTO entry (id) SELECT CONCAT('late', SLEEP(0.5))"));
  setTimeout(() => disconnect.abort(), 200);
  await statement;
  await expect.poll(ids, { timeout: 10_000 }).toEqual(['late0']);
});

test('a rollback to a savepoint undoes what came after it', async () => {
  await gateway.client.transaction(async (tx) => {
    await tx.execute("INSERT INTO entry (id) VALUES ('kept')");
    await tx.execute('SAVEPOINT s');
    await tx.execute("INSERT INTO entry (id) VALUES ('dropped')");
    await tx.execute('ROLLBACK TO SAVEPOINT s');
  });
  expect(await ids()).toEqual(['kept']);
});

test('a read-only transaction refuses writes', async () => {
  const connection = connect({ url: gateway.url });
  await connection.execute('START TRANSACTION READ ONLY');
  expect((await failureOf(connection.execute("INSERT INTO entry (id) VALUES ('a')"))).message).toContain(
    '(errno 1792)',
  );
  await connection.execute('ROLLBACK');
});

test('a change of tables commits what came before it, also inside a transaction', async () => {
  const connection = await begun();
  await connection.execute("INSERT INTO entry (id) VALUES ('before')");
  await connection.execute('CREATE TABLE IF NOT EXISTS side (id INT)');
  await connection.execute('ROLLBACK');
  expect(await ids()).toEqual(['before']);
});

test('an invented session reaches no transaction', async () => {
  const connection = await begun(hasty);
  await connection.execute("INSERT INTO entry (id) VALUES ('a')");
  const held = (connection as unknown as { session: { signature: string } }).session;
  held.signature = Buffer.alloc(32).toString('base64');
  expect(await failureOf(connection.execute('COMMIT'))).toMatchObject({
    status: 400,
    message: 'session signature mismatch',
  });
});

test('a hundred transactions at once all commit, each with both of its statements', async () => {
  const transfer = (index: number): Promise<void> =>
    gateway.client.transaction(async (tx) => {
      await tx.execute('INSERT INTO entry (id) VALUES (?)', [`t${index}`]);
      await tx.execute('UPDATE entry SET n = n + ? WHERE id = ?', [index + 1, `t${index}`]);
    });
  await Promise.all(Array.from({ length: 100 }, (_, index) => transfer(index)));
  const { rows } = await gateway.client.execute('SELECT COUNT(*) AS count, CAST(SUM(n) AS CHAR) AS total FROM entry');
  expect(rows).toEqual([{ count: '100', total: '5050' }]);
});
