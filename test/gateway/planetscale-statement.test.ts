import { format } from '@planetscale/database';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readStatement, withoutValues } from '../../gateway/planetscale/statement.ts';

test('the text of a statement without its values contains no value that the client put in', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.uint8Array())), (values) => {
      const slots = values.map(() => '?').join(', ');
      expect(withoutValues(format(`SELECT f(${slots}) FROM t`, values))).toMatch(
        /^SELECT f\((?:-?\?(?:, -?\?)*)?\) FROM t$/,
      );
    }),
  );
});

test.each([
  [
    "SELECT 'it''s', \"a\\\"b\", `c?1`, x'00ff', 0x1F, -1.5e3, t1.a2 FROM t1",
    'SELECT ?, ?, `c?1`, ?, ?, -?, t1.a2 FROM t1',
  ],
  ['SELECT 1 -- one\n, 2 # two\n, 3 /* three */', 'SELECT ? , ? , ?'],
  ['SELECT 3--2', 'SELECT ?--?'],
  ['SELECT /*!40001 SQL_NO_CACHE */ a', 'SELECT SQL_NO_CACHE a'],
  ["SELECT 'never closed", 'SELECT ?'],
])('%s reads as %s', (sql, bare) => {
  expect(withoutValues(sql)).toBe(bare);
});

test.each([
  ['  /* hint */ select 1', 'read'],
  ['(SELECT 1) UNION (SELECT 2)', 'read'],
  ['WITH x AS (SELECT 1) SELECT * FROM x', 'read'],
  ['WITH x AS (SELECT 1) DELETE FROM t', 'write'],
  ['Replace INTO t VALUES (1)', 'write'],
  ['START TRANSACTION READ ONLY', 'begin'],
  ['START SLAVE', 'other'],
  ['ROLLBACK', 'rollback'],
  ['ROLLBACK TO SAVEPOINT s', 'other'],
  ['TRUNCATE t', 'definition'],
])('%s is a %s', (sql, kind) => {
  expect(readStatement(sql).kind).toBe(kind);
});

test('an e-mail address in a text is not taken for a user variable, and a user variable is recognised', () => {
  expect(readStatement("UPDATE t SET mail = 'a@b.c'").leavesTraces).toBe(false);
  expect(readStatement('SELECT @@sql_mode').leavesTraces).toBe(false);
  expect(readStatement('SELECT @a := 1').leavesTraces).toBe(true);
});
