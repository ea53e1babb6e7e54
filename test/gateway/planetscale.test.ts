import { connect } from '@planetscale/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failureOf, type GatewayOverDatabase, gatewayOverFreshDatabase } from '../support/planetscale-gateway.ts';

let gateway: GatewayOverDatabase;

beforeAll(async () => {
  gateway = await gatewayOverFreshDatabase();
  await gateway.client.execute(
    'CREATE TABLE item (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200) UNIQUE, small INT, raw VARBINARY(600), price DECIMAL(10,2), at DATETIME(3), doc JSON, body LONGTEXT)',
  );
});

afterAll(() => gateway.stop());

test('an insert returns its id and its count', async () => {
  const { client } = gateway;
  const first = await client.execute('INSERT INTO item (name) VALUES (?)', ['first']);
  const more = await client.execute("INSERT INTO item (name) VALUES ('second'), ('third')");
  expect(first).toMatchObject({ rowsAffected: 1, rows: [], statement: "INSERT INTO item (name) VALUES ('first')" });
  expect(more.rowsAffected).toBe(2);
  expect(BigInt(more.insertId)).toBeGreaterThan(BigInt(first.insertId));
  expect(more.time).toBeGreaterThan(0);
});

test('values come back as the types that the client gives them', async () => {
  const { client } = gateway;
  await client.execute('INSERT INTO item (id, name, small, price, at, doc) VALUES (?, ?, ?, ?, ?, ?)', [
    '9007199254740993',
    'typed',
    7,
    '12.30',
    new Date('2026-02-03T04:05:06.789Z'),
    JSON.stringify({ a: [1, null] }),
  ]);
  const { rows, types } = await client.execute(
    "SELECT id, small, price, at, doc, 0.5e0 AS half FROM item WHERE name = 'typed'",
  );
  expect(rows).toEqual([
    {
      id: '9007199254740993',
      small: 7,
      price: '12.30',
      at: '2026-02-03 04:05:06.789',
      doc: { a: [1, null] },
      half: 0.5,
    },
  ]);
  expect(types).toEqual({
    id: 'INT64',
    small: 'INT32',
    price: 'DECIMAL',
    at: 'DATETIME',
    doc: 'JSON',
    half: 'FLOAT64',
  });
});

test('text of any script and bytes of any value are kept exactly', async () => {
  const { client } = gateway;
  const raw = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
  const names = ['充值 🎮 𠮷', 'it\'s \\ "q" `b` -- # /* */ ; ?', '\u0000\n\r\t\u001a', '', ' trailing '];
  for (const name of names) await client.execute('INSERT INTO item (name, raw) VALUES (:name, :raw)', { name, raw });
  const { rows } = await client.execute<{ name: string; raw: Uint8Array }>(
    'SELECT name, raw FROM item WHERE raw IS NOT NULL ORDER BY id',
  );
  expect(rows.map((row) => row.name)).toEqual(names);
  for (const row of rows) expect(row.raw).toEqual(raw);
});

test('NULL, the empty text and a missing row are told apart', async () => {
  const { client } = gateway;
  expect((await client.execute("SELECT NULL AS a, '' AS b, CAST(NULL AS CHAR) AS c")).rows).toEqual([
    { a: null, b: '', c: null },
  ]);
  const none = await client.execute('SELECT id, name FROM item WHERE id = 0');
  expect(none).toMatchObject({ rows: [], size: 0, headers: ['id', 'name'] });
});

test('columns with the same name are all returned', async () => {
  const { rows } = await gateway.client.execute("SELECT 'a' AS x, 'b' AS x", null, { as: 'array' });
  expect(rows).toEqual([['a', 'b']]);
});

test('a value of several megabytes comes back complete', async () => {
  const body = '万'.repeat(1_000_000);
  await gateway.client.execute('INSERT INTO item (name, body) VALUES (?, ?)', ['big', body]);
  const { rows } = await gateway.client.execute<{ body: string }>("SELECT body FROM item WHERE name = 'big'");
  expect(rows[0]?.body === body).toBe(true);
});

test('an update counts the rows that it matched, changed or not', async () => {
  const { client } = gateway;
  await client.execute("INSERT INTO item (name, small) VALUES ('matched', 1)");
  const again = await client.execute("UPDATE item SET small = 1 WHERE name = 'matched'");
  expect(again.rowsAffected).toBe(1);
  expect((await client.execute("UPDATE item SET small = 1 WHERE name = 'nobody'")).rowsAffected).toBe(0);
});

test('a duplicate key gets the error text of Vitess with errno and sqlstate, without the values', async () => {
  const { client } = gateway;
  await client.execute("INSERT INTO item (name) VALUES ('once')");
  const error = await failureOf(client.execute("INSERT INTO item (name, body) VALUES ('once', 'do-not-print')"));
  expect(error).toMatchObject({ name: 'DatabaseError', status: 400, body: { code: 'UNKNOWN' } });
  expect(/\(errno (\d+)\) \(sqlstate (\w+)\)/.exec(error.message)?.slice(1)).toEqual(['1062', '23000']);
  expect(error.message).toMatch(
    `target: ${gateway.database}.-.primary: vttablet: rpc error: code = AlreadyExists desc = Duplicate entry 'once' for key `,
  );
  expect(error.message).toMatch(
    '(CallerID: wendy): Sql: "INSERT INTO item (name, body) VALUES (:vtg1, :vtg2)", BindVars: {REDACTED}',
  );
});

test('a request with two statements is refused', async () => {
  const error = await failureOf(gateway.client.execute('DELETE FROM item WHERE id = 0; DELETE FROM item'));
  expect(error.message).toContain('(errno 1064)');
});

test('writes are strict: a value that does not fit is refused', async () => {
  const { client } = gateway;
  expect((await failureOf(client.execute("INSERT INTO item (small) VALUES ('x')"))).message).toMatch(
    /errno 1366|errno 1292/,
  );
  expect((await failureOf(client.execute("INSERT INTO item (at) VALUES ('2026-02-30')"))).message).toContain(
    'errno 1292',
  );
});

test('the clock of the database is UTC', async () => {
  const { rows } = await gateway.client.execute<{ ahead: string }>('SELECT TIMEDIFF(NOW(), UTC_TIMESTAMP()) AS ahead');
  expect(rows).toEqual([{ ahead: '00:00:00' }]);
});

test('LAST_INSERT_ID() is kept for a connection between requests, and is not visible to others', async () => {
  const [mine, other] = [connect({ url: gateway.url }), connect({ url: gateway.url })];
  const { insertId } = await mine.execute("INSERT INTO item (name) VALUES ('mine')");
  await other.execute("INSERT INTO item (name) VALUES ('other')");
  expect((await mine.execute('SELECT CONCAT(LAST_INSERT_ID()) AS id')).rows).toEqual([{ id: insertId }]);
  expect((await gateway.client.execute('SELECT CONCAT(LAST_INSERT_ID()) AS id')).rows).toEqual([{ id: '0' }]);
});

test('a user variable does not reach the next request', async () => {
  const connection = connect({ url: gateway.url });
  await connection.execute("SET @leak = 'secret'");
  for (let turn = 0; turn < 5; turn += 1) {
    expect((await connection.execute('SELECT @leak AS leak')).rows).toEqual([{ leak: null }]);
  }
});

test.each([
  'SET time_zone = "+08:00"',
  'SET GLOBAL max_connections = 1',
  'SELECT GET_LOCK("a", 1)',
  'LOCK TABLES item WRITE',
  'CREATE TEMPORARY TABLE t (id INT)',
  'KILL 1',
  '/*!40000 KILL */ 1',
  'LOAD DATA INFILE "/etc/hosts" INTO TABLE item',
  'SELECT 1 INTO OUTFILE "/tmp/x"',
  'CALL p()',
  'STOP SLAVE',
  'START REPLICA',
  'BACKUP STAGE START',
  "BINLOG 'x'",
  'CACHE INDEX item IN hot',
  'REPAIR TABLE item',
  'ALTER INSTANCE DISABLE INNODB REDO_LOG',
  'CREATE TABLESPACE s ADD DATAFILE "s.ibd"',
  'DROP PREPARE p',
  "SIGNAL SQLSTATE '45000'",
  'SELECT `GET_LOCK`("a", 1)',
  'SELECT `load_file` ("/etc/hosts")',
])('a statement that needs state between requests, or that PlanetScale lacks, is refused: %s', async (sql) => {
  expect((await failureOf(gateway.client.execute(sql))).message).toMatch(/^VT12001: unsupported: /);
});

test('RETURNING is refused, because only MariaDB has it', async () => {
  const error = await failureOf(gateway.client.execute("INSERT INTO item (name) VALUES ('r') RETURNING id"));
  expect(error.message).toBe("syntax error near 'returning'");
  await gateway.client.execute("INSERT INTO item (name) VALUES ('a returning customer')");
});

test('a result of more than 100 000 rows is refused, and the connection can still be used', async () => {
  const { client } = gateway;
  const digits =
    '(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)';
  const all = `SELECT a.d FROM ${digits} a, ${digits} b, ${digits} c, ${digits} d, ${digits} e`;
  expect((await client.execute(all)).size).toBe(100_000);
  const error = await failureOf(client.execute(`${all}, ${digits} f`));
  expect(error.message).toContain('code = ResourceExhausted desc = Row count exceeded 100000 (errno 10001)');
  expect((await client.execute('SELECT 1 AS one')).size).toBe(1);
});

test('a result over 64 MiB is refused', async () => {
  const { client } = gateway;
  const piece = "REPEAT('x', 12000000)";
  const error = await failureOf(client.execute(`SELECT ${Array(6).fill(piece).join(', ')}`));
  expect(error.message).toContain('code = ResourceExhausted desc = grpc: trying to send message larger than max');
});
