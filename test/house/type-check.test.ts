import { execFileSync } from 'node:child_process';
import { relative } from 'node:path';
import { expect, test } from 'vitest';
import { sourceFiles, textOf } from '../support/source-files.ts';

const checkout = `${import.meta.dirname}/../..`;
/** CommonJS and .js are examples to copy into a mini-program: they need its globals and its files. */
const typed = sourceFiles().filter((file) => /\.[mc]?ts$|\.mjs$/.test(file));

test('every source file is in the type check, also benches, the build and the examples', () => {
  const listed = execFileSync('npx', ['tsc', '-p', '.', '--listFilesOnly'], { cwd: checkout, encoding: 'utf8' });
  const checked = new Set(listed.split('\n').map((path) => relative(checkout, path)));
  expect(typed.length).toBeGreaterThan(400);
  expect(typed.filter((file) => !checked.has(file))).toEqual([]);
});

test('no source file opts out of the type check', () => {
  expect(typed.filter((file) => /^\s*(\/\/|\/\*+)\s*@ts-(nocheck|ignore)/m.test(textOf(file)))).toEqual([]);
});
