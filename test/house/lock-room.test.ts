import { readdirSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

/** The API lock stands in one room: few names come in, and admission uses two of its files. */
const root = join(import.meta.dirname, '../..');
const MOST_NAMES = 10;

/** `<file or package>: <name>` of everything that the files of a folder import, types included. */
function importedNames(folder: string): string[] {
  const files = readdirSync(join(root, folder)).filter((file) => file.endsWith('.ts'));
  return files.flatMap((file) => {
    const text = readFileSync(join(root, folder, file), 'utf8');
    return [...text.matchAll(/^import\s+(?:type\s+)?([^'"]+?)\s+from\s+'([^']+)';/gms)].flatMap(([, names, from]) =>
      listed(names ?? '').map((name) => `${sourceOf(folder, from ?? '')}: ${name}`),
    );
  });
}

const listed = (names: string): string[] =>
  names
    .replace(/[{}]/g, '')
    .split(',')
    .map((name) => name.trim().replace(/^type\s+|\s+as\s.*$/g, ''))
    .filter(Boolean);

const sourceOf = (folder: string, from: string): string =>
  from.startsWith('.') ? normalize(join(folder, from)) : from;

const foreign = [...new Set(importedNames('shared/lock'))]
  .filter((name) => !/^(shared\/lock\/|node:)/.test(name))
  .sort();

describe('the room of the lock', () => {
  test(`uses at most ${MOST_NAMES} names that are defined elsewhere`, () => {
    expect(foreign.length, foreign.join('\n')).toBeLessThanOrEqual(MOST_NAMES);
    expect(foreign).toContain('shared/redis.ts: evaluate');
  });

  test('knows neither admission nor what stands above it', () => {
    expect(foreign.filter((name) => /^shared\/(admission|http|session|account|app|plugin|data)\//.test(name))).toEqual(
      [],
    );
  });

  test('is entered by admission through its entry and its part of the script', () => {
    const used = importedNames('shared/admission').filter((name) => name.startsWith('shared/lock/'));
    expect([...new Set(used)].sort()).toEqual([
      'shared/lock/api-lock.ts: ApiLock',
      'shared/lock/api-lock.ts: LockCall',
      'shared/lock/api-lock.ts: askLock',
      'shared/lock/script.ts: POLICIES',
      'shared/lock/script.ts: RULES',
    ]);
  });
});
