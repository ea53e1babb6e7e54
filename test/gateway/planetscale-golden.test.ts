import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type GatewayOverDatabase,
  gatewayOverFreshDatabase,
  password,
  username,
} from '../support/planetscale-gateway.ts';
import golden from '../support/vectors/planetscale-execute-golden.json' with { type: 'json' };

let gateway: GatewayOverDatabase;

beforeAll(async () => {
  gateway = await gatewayOverFreshDatabase();
  await gateway.client.execute(`CREATE TABLE test (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    a tinyint, b smallint, c mediumint, d int, e bigint, f decimal(2,1), g numeric(2,1), h float, i double, j bit(3),
    k date, l datetime, m timestamp NULL DEFAULT NULL, n time, o year,
    p char(4), q varchar(4), r binary(4), s varbinary(4),
    t tinyblob, u blob, v mediumblob, w longblob, x tinytext, y text, z mediumtext, aa longtext,
    ab enum('foo','bar'), ac set('foo','bar'), ad json, ae geometry, af point, ag linestring, ah polygon,
    ai tinyint unsigned, aj mediumint unsigned, ak int unsigned, al bigint unsigned,
    xa char(4) COLLATE utf8mb4_bin, xb char(4) COLLATE utf8mb4_bin, xc binary(4), xd text COLLATE utf8mb4_bin
  ) DEFAULT CHARSET utf8mb4`);
  await gateway.client.execute(`INSERT INTO test VALUES (
    1, 1, 1, 1, 1, 1, 1.1, 1.1, 1.1, 1.1, b'111',
    '1000-01-01', '1000-01-01 01:01:01', '1970-01-01 00:01:01', '01:01:01', '2006',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'aa',
    'foo', 'foo,bar', '{"ad": null, "foo": "ü"}',
    ST_GeomFromText('LINESTRING(0 0,1 1,2 0)'), ST_GeomFromText('POINT(1 1)'), ST_GeomFromText('LINESTRING(0 0,1 1,2 0)'),
    ST_GeomFromText('POLYGON((0 0,0 3,3 0,0 0),(1 1,1 2,2 1,1 1))'),
    1, 1, 1, 1, 'xa', 'xb', 'xc', 'xd')`);
});

afterAll(() => gateway.stop());

test('every column type is described as PlanetScale describes it', async () => {
  const { result } = await execute('SELECT *, NULL FROM test');
  const expected = golden.fields.map((field) =>
    'database' in field ? { ...field, database: gateway.database } : field,
  );
  expect(result.fields).toEqual(expected);
});

test('every value has the bytes that PlanetScale sends', async () => {
  const { result } = await execute('SELECT *, NULL FROM test');
  expect(result.rows).toEqual(golden.rows);
});

interface ExecuteAnswer {
  result: { fields: unknown[]; rows: unknown[] };
}

async function execute(query: string): Promise<ExecuteAnswer> {
  const response = await fetch(`${gateway.origin}/psdb.v1alpha1.Database/Execute`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${username}:${password}`)}` },
    body: JSON.stringify({ query, session: null }),
  });
  return (await response.json()) as ExecuteAnswer;
}
