import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSource, sourceFiles, textOf } from '../support/source-files.ts';

/** Rules that are narrower than a room, for the files that run in Lambda. The rooms themselves: rooms.test.ts. */
const functions = sourceFiles('functions');
const shared = sourceFiles('shared');
const http = shared.filter((file) => file.startsWith('shared/http/'));
const core = shared.filter((file) => !file.startsWith('shared/http/'));

const parsed = new Map([...functions, ...shared].map((file) => [file, readSource(file)]));
const filesOf = (file: string): string[] => parsed.get(file)?.files ?? [];
const packagesOf = (file: string): string[] => parsed.get(file)?.packages ?? [];
const importers = (of: string[], isMeant: (packageName: string) => boolean): string[] =>
  of.filter((file) => packagesOf(file).some(isMeant));
const matching = (of: string[], pattern: RegExp): string[] => of.filter((file) => pattern.test(textOf(file)));

describe('what runs in Lambda', () => {
  test('has functions that import only their own folder, shared code and valibot', () => {
    const wrong = functions.flatMap((file) => {
      const folder = dirname(file);
      const isOwn = (target: string) => folder !== 'functions' && dirname(target) === folder;
      const wrongFiles = filesOf(file).filter((target) => !target.startsWith('shared/') && !isOwn(target));
      return wrongFiles.map((target) => `${file} -> ${target}`);
    });
    expect(wrong).toEqual([]);
    expect(importers(functions, (name) => !['valibot', 'aws-lambda'].includes(name))).toEqual([]);
  });

  test('has no function that imports Redis, MySQL or the network directly', () => {
    const engines = ['shared/redis.ts', 'shared/db.ts', 'shared/transport.ts'];
    expect(functions.filter((file) => filesOf(file).some((target) => engines.includes(target)))).toEqual([]);
  });

  test('uses Lambda events only in functions and shared/http', () => {
    expect(importers(core, (name) => name === 'aws-lambda')).toEqual([]);
  });

  test('imports only packages that package.json installs for production', () => {
    const { dependencies } = JSON.parse(textOf('package.json'));
    const isNone = (name: string) =>
      !name.startsWith('node:') && !Object.keys(dependencies).some((known) => `${name}/`.startsWith(`${known}/`));
    const others = [...functions, ...shared].flatMap((file) => packagesOf(file).filter(isNone));
    // A package that contains only types.
    expect([...new Set(others)]).toEqual(['aws-lambda']);
  });

  test('imports each client of an engine in exactly one file', () => {
    const clients = (name: string) => importers([...functions, ...shared], (found) => found.startsWith(name));
    expect(clients('@upstash/redis')).toEqual(['shared/redis.ts']);
    expect(clients('@planetscale/database')).toEqual(['shared/db.ts']);
  });

  test('reads the environment only in config.ts', () => {
    expect(matching([...functions, ...shared], /process\.env/)).toEqual(['shared/config.ts']);
  });

  test('has status numbers only in shared/http', () => {
    const elsewhere = [...functions, ...core].filter((file) => file !== 'shared/transport.ts');
    expect(matching(elsewhere, /\bstatusCode\b|\bstatus:\s*[1-5]\d\d\b/)).toEqual([]);
  });

  test('has SQL only in files of concepts, never in functions or shared/http', () => {
    const sql = /\b(SELECT\s.+\sFROM|INSERT\s+(IGNORE\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b/s;
    expect(matching([...functions, ...http], sql)).toEqual([]);
  });
});
