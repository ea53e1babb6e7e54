import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { splitStatements } from '../../db/sql-statements.ts';

test.each([
  ['two statements', 'SELECT 1; SELECT 2', ['SELECT 1', 'SELECT 2']],
  ['a last semicolon and empty ones', ';;SELECT 1;;\n;', ['SELECT 1']],
  ['a semicolon inside single quotes', "SELECT 'a;b'; SELECT 2", ["SELECT 'a;b'", 'SELECT 2']],
  ['a semicolon inside double quotes and backticks', 'SELECT "a;b", `c;d`', ['SELECT "a;b", `c;d`']],
  ['doubled quotes', "SELECT 'it''s; fine'; SELECT 2", ["SELECT 'it''s; fine'", 'SELECT 2']],
  ['escaped quotes', "SELECT 'it\\'s; fine'; SELECT 2", ["SELECT 'it\\'s; fine'", 'SELECT 2']],
  ['a backslash before the closing backtick', 'SELECT `a\\`; SELECT 2', ['SELECT `a\\`', 'SELECT 2']],
  [
    'comments that hold semicolons and quotes',
    "-- it's; a\nSELECT 1 # b;'\n; /* c; \" */ SELECT 2",
    ['SELECT 1', 'SELECT 2'],
  ],
  ['a file of comments only', '-- nothing\n# here\n/* at all */', []],
  ['two minus signs that do not begin a comment', 'SELECT 1--1; SELECT 2', ['SELECT 1--1', 'SELECT 2']],
  ['comment signs inside quotes', "SELECT '-- # /*'; SELECT 2", ["SELECT '-- # /*'", 'SELECT 2']],
  ['a comment between two words', 'SELECT/* x */1', ['SELECT 1']],
  [
    'executable comments and hints',
    'SELECT /*+ NO_ICP(t) */ 1 /*!80000 + 1 */',
    ['SELECT /*+ NO_ICP(t) */ 1 /*!80000 + 1 */'],
  ],
])('splits %s', (_, sql, statements) => {
  expect(splitStatements(sql)).toEqual(statements);
});

test.each(["SELECT 'a", 'SELECT "a\\"', 'SELECT `a', 'SELECT 1 /* a'])('refuses %s, because it has no end', (sql) => {
  expect(() => splitStatements(sql)).toThrow(SyntaxError);
});

test('migrations and database commands use only words that both MySQL and MariaDB know', () => {
  const folder = new URL('../../db/', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(sql|ts)$/.test(name));
  const onlyMariadb =
    /\bRETURNING\b|\bCREATE OR REPLACE TABLE\b|\bSEQUENCE\b|\bADD COLUMN IF NOT EXISTS\b|\bDROP COLUMN IF EXISTS\b|\bUUID\(\d/i;
  const onlyMysql = /\bAS new\b|\bFOR SHARE\b|\bLATERAL\b|->>|MEMBER OF|_0900_|\bREGEXP_LIKE\b|\bANY_VALUE\b/i;
  const neitherOnVitess = /\bGET_LOCK\b|\bLOCK TABLES\b|\bCREATE (TRIGGER|PROCEDURE)\b/i;
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) {
    const sql = readFileSync(new URL(file, folder), 'utf8').replaceAll(/^\s*(--|\*|\/\*|\/\/).*$/gm, '');
    for (const words of [onlyMariadb, onlyMysql, neitherOnVitess]) expect(sql, file).not.toMatch(words);
  }
});
