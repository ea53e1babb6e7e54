import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { keepReplayRecords, SINCE_SHARDS, sinceKey } from '../../shared/admission/replay-record.ts';
import { requestOf, verdictOf } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';

const LIFE_MS = 86_400_000;
const MINUTE_MS = 60_000;
const SHARD = 'a';
const key = sinceKey(SHARD);
let world: AdmissionWorld;
beforeAll(async () => {
  world = await startAdmissionWorld();
});
beforeEach(async () => {
  await world.redis.flushall();
  for (const shard of SINCE_SHARDS) await world.redis.set(sinceKey(shard), '1;1;0;;', 'PX', LIFE_MS);
});
afterAll(() => world.stop());

/** A call that changes something, by a caller whose clock is `ahead` seconds ahead. */
async function write(ahead: number): Promise<void> {
  const request = requestOf([], { unsafe: true });
  const { signature, timeStamp } = request.token;
  request.token = { ...request.token, signature: SHARD + signature.slice(1), timeStamp: timeStamp + ahead };
  expect((await verdictOf(request)).verdict).toBe('admitted');
}
/** What the mark knows about callers' clocks: in this minute, and before. */
const known = async (): Promise<string[]> => ((await world.redis.get(key)) ?? '').split(';').slice(3);
/** A minute passes: marks have no other clock than their TTL. */
async function passMinute(): Promise<void> {
  for (const shard of SINCE_SHARDS) {
    await world.redis.pexpire(sinceKey(shard), (await world.redis.pttl(sinceKey(shard))) - MINUTE_MS);
  }
  expect(await keepReplayRecords()).toBe(0);
}

describe('what a since mark knows about the clocks of callers', () => {
  test('is forgotten when the records of tokens end, about ten minutes after the last call that changed something', async () => {
    await write(50);
    const [ahead = ''] = await known();
    expect(Number(ahead)).toBeGreaterThan(40);
    for (let minute = 0; minute < 11; minute++) {
      await passMinute();
      expect(await known()).toEqual(['', ahead]);
    }
    await passMinute();
    expect(await known()).toEqual(['', '']);
    expect((await world.redis.get(key))?.startsWith('1;1;0;')).toBe(true);
  });

  test('stays as long as calls come at least every ten minutes, and is that of the last minute with calls', async () => {
    await write(50);
    for (let round = 0; round < 3; round++) {
      for (let minute = 0; minute < 9; minute++) await passMinute();
      await write(-50);
    }
    await passMinute();
    const [ahead, before] = await known();
    expect(ahead).toBe('');
    expect(Number(before)).toBeLessThan(-40);
  });

  test('does not shorten the life of a mark by more than this time', async () => {
    await write(0);
    const lives: number[] = [];
    for (let minute = 0; minute < 30; minute++) {
      await passMinute();
      lives.push(await world.redis.pttl(key), await world.redis.pttl(sinceKey('b')));
    }
    expect(Math.min(...lives)).toBeGreaterThan(LIFE_MS - 11 * MINUTE_MS);
    expect(await known()).toEqual(['', '']);
  });
});
