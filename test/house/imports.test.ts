import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

/** The arrows of docs/architecture.md: who may import whom. */
const root = join(import.meta.dirname, '../..');

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Files or packages that a file imports; files are relative to the root. */
function importsOf(file: string): string[] {
  const found = textOf(file).matchAll(/^\s*(?:import|export)[^'"]*?from\s*'([^']+)'|\bimport\('([^']+)'\)/gms);
  return [...found].map(([, fixed, dynamic]) => {
    const name = fixed ?? dynamic ?? '';
    return name.startsWith('.') ? relative(root, normalize(join(root, dirname(file), name))) : name;
  });
}

const functions = sourceFiles('functions');
const shared = sourceFiles('shared');
const http = shared.filter((file) => file.startsWith('shared/http/'));
const core = shared.filter((file) => !file.startsWith('shared/http/'));
const offenders = (files: string[], isWrong: (file: string) => boolean): string[] => files.filter(isWrong);

describe('the arrows of the architecture', () => {
  test('a function imports shared code, its own folder and valibot, nothing else of the project', () => {
    const wrong = functions.flatMap((file) =>
      importsOf(file)
        .filter((name) => !/^(shared|functions)\//.test(name) && !['valibot', 'aws-lambda'].includes(name))
        .map((name) => `${file} -> ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no function reaches past the concepts to Redis, MySQL or the network', () => {
    const engines = ['shared/redis.ts', 'shared/db.ts', 'shared/transport.ts'];
    expect(offenders(functions, (file) => importsOf(file).some((name) => engines.includes(name)))).toEqual([]);
  });

  test('nothing in shared imports shared/http, and Lambda events stop there', () => {
    expect(offenders(core, (file) => importsOf(file).some((name) => name.startsWith('shared/http')))).toEqual([]);
    expect(offenders(core, (file) => importsOf(file).includes('aws-lambda'))).toEqual([]);
  });

  test('what runs in Lambda imports nothing that runs only here', () => {
    const local = /^(local|gateway|portal|client|db|test|bench)\//;
    expect(offenders([...functions, ...shared], (file) => importsOf(file).some((name) => local.test(name)))).toEqual(
      [],
    );
  });

  test('each engine client is imported in one file', () => {
    const importers = (name: string) =>
      offenders([...functions, ...shared], (file) => importsOf(file).some((path) => path.startsWith(name)));
    expect(importers('@upstash/redis')).toEqual(['shared/redis.ts']);
    expect(importers('@planetscale/database')).toEqual(['shared/db.ts']);
  });

  test('the environment is read in config.ts alone', () => {
    const readers = offenders([...functions, ...shared], (file) => /process\.env/.test(textOf(file)));
    expect(readers).toEqual(['shared/config.ts']);
  });

  test('status numbers stand in shared/http alone', () => {
    const written = /\bstatusCode\b|\bstatus:\s*[1-5]\d\d\b/;
    const core = shared.filter((file) => !file.startsWith('shared/http/') && file !== 'shared/transport.ts');
    expect(offenders([...functions, ...core], (file) => written.test(textOf(file)))).toEqual([]);
  });

  test('SQL stands in concept files, never in functions or shared/http', () => {
    const sql = /\b(SELECT\s.+\sFROM|INSERT\s+(IGNORE\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b/s;
    expect(offenders([...functions, ...http], (file) => sql.test(textOf(file)))).toEqual([]);
  });

  test('the core below the concepts does not know them', () => {
    const floor = [
      'redis',
      'script',
      'db',
      'transport',
      'config',
      'errors',
      'telemetry',
      'keys',
      'breaker',
      'local-cache',
      'cache/value',
    ];
    const floorFiles = floor.map((name) => `shared/${name}.ts`);
    const wrong = floorFiles.flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith('shared/') && !floorFiles.includes(name))
        .map((name) => `${file} -> ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no import goes round in a circle', () => {
    const graph = new Map([...functions, ...shared].map((file) => [file, runtimeImportsOf(file)]));
    const circles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      else if (circles.length === 0) for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    };
    for (const file of graph.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });
});

/** Imports that are left when types are gone. */
function runtimeImportsOf(file: string): string[] {
  const text = textOf(file)
    .replace(/^\s*(import|export)\s+type\s[^;]*;/gm, '')
    .replace(/\btype\s+\w+(\s+as\s+\w+)?,?/g, '');
  const found = text.matchAll(/^\s*(?:import|export)\s+(\{[^}]*\}|[^'"]*?)\s*from\s*'(\.[^']+)'/gm);
  return [...found]
    .filter(([, names]) => !/^\{\s*\}$/.test(names ?? ''))
    .map(([, , name]) => relative(root, normalize(join(root, dirname(file), name ?? ''))));
}
