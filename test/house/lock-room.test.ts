import { describe, expect, test } from 'vitest';
import { readSource, sourceFiles } from '../support/source-files.ts';

/** The API lock is one room: it imports few names, and admission imports two of its files. */
const MOST_NAMES = 10;

/** `<file or package>#<name>` of everything that the files of a folder import, types included. */
const importedNames = (folder: string): string[] =>
  [...new Set(sourceFiles(folder).flatMap((file) => readSource(file).names))].sort();

// What only writes Lua does not count as a dependency: the tag `lua`, and layouts, which name a script's arguments.
const foreign = importedNames('shared/lock').filter(
  (name) => !/^(shared\/lock\/|shared\/layout\.ts#|node:)/.test(name) && name !== 'shared/script.ts#lua',
);

describe('the room of the API lock', () => {
  test(`uses at most ${MOST_NAMES} names that are defined elsewhere`, () => {
    expect(foreign.length, foreign.join('\n')).toBeLessThanOrEqual(MOST_NAMES);
    expect(foreign).toContain('shared/redis.ts#evaluate');
  });

  test('is imported by admission only through its entry file and its part of the script', () => {
    expect(importedNames('shared/admission').filter((name) => name.startsWith('shared/lock/'))).toEqual([
      'shared/lock/api-lock.ts#ApiLock',
      'shared/lock/api-lock.ts#LockCall',
      'shared/lock/api-lock.ts#askLock',
      'shared/lock/script.ts#POLICIES',
      'shared/lock/script.ts#RULES',
    ]);
  });
});
