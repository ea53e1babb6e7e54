import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CLIENT_PROPERTIES } from '../../build/bundles.mjs';
import { bundleFolder } from '../support/bundles.ts';

/** The deployed bundles, as `npm run build` makes them. */
const bundles = readdirSync(bundleFolder())
  .filter((name) => name.endsWith('.mjs'))
  .map((name): [string, string] => [name, readFileSync(`${bundleFolder()}/${name}`, 'utf8')]);

describe('a bundle', () => {
  test('of the authorizer is at most 110 KB, with both clients in it', () => {
    const [, text = ''] = bundles.find(([name]) => name === 'authorizer.mjs') ?? [];
    expect(text.length).toBeGreaterThan(10_000);
    expect(text.length).toBeLessThanOrEqual(110 * 1024);
    // Each client is complete: commands that this project never sends, and the error texts of the other.
    expect(text).toMatch(/"zunionstore"/i);
    expect(text).toMatch(/DatabaseError/);
  });

  // The read path has its own function, so that writing own records does not lengthen its start.
  test.each([
    ['business.mjs', 185],
    ['own-records.mjs', 195],
  ])('%s is at most %d KiB', (bundle, limit) => {
    const [, text = ''] = bundles.find(([name]) => name === bundle) ?? [];
    expect(text.length).toBeGreaterThan(10_000);
    expect(text.length).toBeLessThanOrEqual(limit * 1024);
  });

  test('contains argon2 only if the function hashes passwords', () => {
    expect(bundles.filter(([, text]) => /argon2/i.test(text)).map(([name]) => name)).toEqual(['login.mjs']);
  });

  test.each(bundles)('%s imports only modules of Node', (_, text) => {
    const imports = [...text.matchAll(/(?:^|[;}])import[^"';]*?(?:from)?["']([^"']+)["']/g)].map(([, name]) => name);
    expect(imports.filter((name) => !name?.startsWith('node:'))).toEqual([]);
    expect(text).not.toMatch(/\brequire\(["'](?!node:)/);
  });

  test.each(bundles)('%s contains no path of this machine', (_, text) => {
    expect(text).not.toContain(process.cwd());
    expect(text).not.toContain('sourceMappingURL');
  });
});

test('shortened property names of the Redis client are not used in any other code', () => {
  const [, list = ''] = /^\^\((.*)\)\$$/.exec(CLIENT_PROPERTIES.source) ?? [];
  expect(list.split('|').length).toBeGreaterThan(10);
  const ours = ['shared', 'functions'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && name !== 'redis.ts')
      .map((name) => `${folder}/${name}`),
  );
  const others = [
    'node_modules/valibot/dist/index.mjs',
    'node_modules/hash-wasm/dist/argon2.umd.min.js',
    ...readdirSync('node_modules/@planetscale/database/dist')
      .filter((name) => name.endsWith('.js'))
      .map((name) => `node_modules/@planetscale/database/dist/${name}`),
  ];
  const property = new RegExp(`(?:\\.|['"])(?:${list})\\b`);
  expect([...ours, ...others].filter((file) => property.test(readFileSync(file, 'utf8')))).toEqual([]);
  // The client itself has none of these names in a string.
  const client = readdirSync('node_modules/@upstash/redis').filter((name) => name.endsWith('.mjs'));
  const named = new RegExp(`['"](?:${list})['"]`);
  const naming = client.filter((name) => named.test(readFileSync(`node_modules/@upstash/redis/${name}`, 'utf8')));
  expect(naming).toEqual([]);
});
