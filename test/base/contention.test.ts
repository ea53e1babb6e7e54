import { describe, expect, test } from 'vitest';
import { repeatOnContention } from '../../shared/contention.ts';
import { ContentionError, EngineError, SqlError } from '../../shared/errors.ts';
import { runInvocation } from '../../shared/telemetry.ts';

/** Work that fails with one of these errors at each try, and then returns the number of tries. */
function failingWith(...errors: Error[]): { work: () => Promise<number>; tries: () => number } {
  let tried = 0;
  const work = async (): Promise<number> => {
    const error = errors[tried++];
    if (error) throw error;
    return tried;
  };
  return { work, tries: () => tried };
}

const contention = (times: number): Error[] => Array.from({ length: times }, () => new ContentionError());
const lost = new EngineError('mysql', 'timeout', 'unknown');

describe('work that is blocked by another statement', () => {
  test('is repeated until it succeeds', async () => {
    expect(await repeatOnContention(failingWith(...contention(2)).work)).toBe(3);
    expect(await repeatOnContention(failingWith(...contention(7)).work, { tries: 8 })).toBe(8);
  });

  test('fails after the last try, with the reason', async () => {
    const { work, tries } = failingWith(...contention(9));
    await expect(repeatOnContention(work, { tries: 4 })).rejects.toBeInstanceOf(ContentionError);
    expect(tries()).toBe(4);
  });

  test('fails when the invocation has no time for another pause', async () => {
    const { work, tries } = failingWith(...contention(9));
    const call = runInvocation('short', 101, () => repeatOnContention(work, { tries: 9 }));
    await expect(call).rejects.toBeInstanceOf(ContentionError);
    expect(tries()).toBe(1);
  });
});

test.each([
  ['a statement that MySQL refuses', new SqlError(1062, '23000')],
  ['an engine that does not answer', lost],
  ['an engine that refuses', new EngineError('mysql', 'breaker open', 'not-applied')],
])('%s is not contention: the work is done once', async (_, error) => {
  const { work, tries } = failingWith(error);
  await expect(repeatOnContention(work)).rejects.toBe(error);
  expect(tries()).toBe(1);
});

test('after a lost answer the work is repeated, if it may be applied twice', async () => {
  expect(await repeatOnContention(failingWith(lost, new ContentionError()).work, { lostAnswers: true })).toBe(3);
  await expect(repeatOnContention(failingWith(lost, lost, lost).work, { lostAnswers: true })).rejects.toBe(lost);
  // The first try may have been applied, so the caller must not believe the last one.
  const blocked = failingWith(lost, ...contention(2));
  await expect(repeatOnContention(blocked.work, { lostAnswers: true })).rejects.toBe(lost);
});
