import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../../local/rebuild.ts';

/**
 * The bundles that `npm run dev` loads. Without their source maps a breakpoint in a TypeScript file would not bind, or
 * would bind on another line.
 */
const folder = mkdtempSync(join(tmpdir(), 'miniapp-test-readable-'));
const MAP = /\n\/\/# sourceMappingURL=data:application\/json;base64,([\w+/=]+)\s*$/;

beforeAll(() => build(folder, { readable: true }));
afterAll(() => rmSync(folder, { recursive: true }));

interface Line {
  file: string;
  text: string;
}

/** Finds the first line of a bundle that contains `text`; returns the source line to which the map leads. */
function sourceOf(bundle: string, text: string): Line {
  const code = readFileSync(join(folder, bundle), 'utf8');
  const map = new SourceMap(JSON.parse(Buffer.from(MAP.exec(code)?.[1] ?? '', 'base64').toString('utf8')));
  const lines = code.split('\n');
  const at = lines.findIndex((line) => line.includes(text));
  const entry = map.findEntry(at, (lines[at] ?? '').indexOf(text));
  if (!('originalSource' in entry)) throw new Error(`${bundle} has no source for ${text}`);
  const path = join(folder, entry.originalSource);
  return {
    file: path.slice(join(import.meta.dirname, '../..').length + 1),
    text: readFileSync(path, 'utf8').split('\n')[entry.originalLine]?.trim() ?? '',
  };
}

describe('a bundle of npm run dev leads a debugger from', () => {
  test('a line of a function to that line of its TypeScript file', () => {
    expect(sourceOf('health.mjs', 'await currentHealth()')).toEqual({
      file: 'functions/health.ts',
      text: 'const engines = await currentHealth();',
    });
  });

  test('a line of shared code to that line, also below a script with comments', () => {
    expect(sourceOf('business.mjs', 'dropScript = ')).toEqual({
      file: 'shared/cache/scripts.ts',
      text: expect.stringContaining('export const dropScript'),
    });
  });
});
