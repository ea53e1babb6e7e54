import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readThrough } from '../../shared/cache/cache.ts';
import { invalidate, writeStrict, writeThrough } from '../../shared/cache/write.ts';
import { EngineError } from '../../shared/errors.ts';
import { readKey } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';
import { fails, key, POLICY, read, says, sleep } from '../support/cache-reads.ts';
import { inProcesses } from '../support/processes.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await startAdmissionWorld();
});
beforeEach(async () => void (await world.redis.flushall()));
afterAll(() => world.stop());

const requests = async (work: () => Promise<unknown>): Promise<number> => {
  world.gateway.resetStats();
  await work();
  return world.gateway.stats().requests;
};

describe('a value', () => {
  test.each<[string, unknown]>([
    ['false', false],
    ['0', 0],
    ['an empty text', ''],
    ["the text '123'", '123'],
    ["the text 'null'", 'null'],
    ['an empty list', []],
    ['a null inside', { member: null }],
    ['a big integer', 323427211229009810n],
    ['bytes', { bytes: new Uint8Array([0, 255, 128]) }],
    ['an object that looks like an encoded integer', { $bigint: '1' }],
    ['a text that looks like a lease', 'Labc'],
    ['a long text', '长'.repeat(5_000)],
  ])('comes back unchanged: %s', async (_what, value) => {
    await read(says(value));
    const load = says('not this');
    expect(await read(load)).toEqual({ value, reason: '', cache: 'hit' });
    expect(load.loads).toBe(0);
  });

  test('costs two requests on a miss and one on a hit, and so does an absent value', async () => {
    expect(await requests(() => read(says(1)))).toBe(2);
    expect(await requests(() => read(says(1)))).toBe(1);
    await invalidate([key]);
    expect(await requests(() => read(says(null)))).toBe(2);
    expect(await requests(() => read(says(1)))).toBe(1);
  });

  test('that cannot be decoded is a miss and is loaded again', async () => {
    for (const stored of [
      'rubbish',
      'J1;oops',
      'J1;9999999999999;1;0;;{broken',
      'Z1;9999999999999;1;0;;!!',
      'J9;1;1;0;;1',
    ]) {
      await world.redis.set(key, stored, 'PX', 60_000);
      expect((await read(says('good'))).value).toBe('good');
      expect((await read(says('good'))).value).toBe('good');
      expect(await world.redis.get(key)).toMatch(/^J1;.*"good"$/);
    }
  });

  test('has a random part in its lifetime, so that values filled together do not expire together', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => readKey(`spread-${i}`));
    await readThrough(keys, POLICY, says(1));
    const ends = await Promise.all(keys.map((each) => world.redis.pttl(each)));
    expect(Math.min(...ends)).toBeGreaterThan(110_000);
    expect(Math.max(...ends) - Math.min(...ends)).toBeGreaterThan(3_000);
  });
});

describe('a null marker', () => {
  test('answers without a load that the record does not exist, and ends after its own short time', async () => {
    await read(says(null));
    const load = says('there by now');
    expect(await read(load)).toEqual({ value: null, reason: '', cache: 'null' });
    expect(load.loads).toBe(0);
    expect(await world.redis.pttl(key)).toBeLessThanOrEqual(22_000);
  });

  test('stays until it is invalidated, also when the row exists by now', async () => {
    await read(says(null));
    expect((await read(says('row'))).value).toBe(null);
    await writeThrough(async () => {}, [key]);
    expect((await read(says('row'))).value).toBe('row');
  });

  test('is not written when a loader throws: nothing is cached, and the next call loads again', async () => {
    await expect(read(fails)).rejects.toThrow(EngineError);
    expect(await world.redis.get(key)).toBe(null);
    expect((await read(says('row'))).value).toBe('row');
  });

  test('does not overwrite a value that was stored during the load', async () => {
    await read(async () => {
      await invalidate([key]);
      await readThrough([key], POLICY, says('real'));
      return [{ value: null, version: 1 }];
    });
    expect((await read(says('other'))).value).toBe('real');
  });
});

describe('an invalidation during a load', () => {
  test('keeps the loaded value out of the cache, and the caller still gets it', async () => {
    const found = await read(async () => {
      await invalidate([key]);
      return [{ value: 'old', version: 1 }];
    });
    expect(found).toMatchObject({ value: 'old', cache: 'miss' });
    expect((await read(says('new'))).value).toBe('new');
  });

  test('also keeps the refresh of a stale value out of the cache', async () => {
    await read(says('first'), { ...POLICY, freshSeconds: 0.001 });
    await sleep(5);
    await read(async () => {
      await invalidate([key]);
      return [{ value: 'old', version: 1 }];
    });
    expect((await read(says('new'))).value).toBe('new');
  });

  test('while a tombstone is in the key, readers ask the database and do not fill, until the last strict writer ends', async () => {
    await writeStrict([key], async () => {
      await writeStrict([key], async () => {});
      expect(await read(says('seen'))).toMatchObject({ value: 'seen', cache: 'miss' });
      expect(await world.redis.get(key)).toMatch(/^T/);
    });
    expect(await world.redis.get(key)).toBe(null);
  });

  test('a strict writer without a known outcome leaves its tombstone, which expires by itself', async () => {
    const unknown = writeStrict([key], async () => {
      throw new EngineError('mysql', 'timeout', 'unknown');
    });
    await expect(unknown).rejects.toThrow(EngineError);
    expect(await world.redis.get(key)).toMatch(/^T/);
    expect(await world.redis.pttl(key)).toBeGreaterThan(30_000);
  });
});

describe('a lease', () => {
  test('blocks fills while it lasts, and the next reader fills after it ended', async () => {
    await world.redis.set(key, `L${randomUUID()}`, 'PX', 60_000);
    expect((await read(says('unfilled'))).cache).toBe('miss');
    expect(await world.redis.get(key)).toMatch(/^L/);
    await world.redis.del(key);
    await read(says('filled'));
    expect((await read(says('x'))).value).toBe('filled');
  });

  test('in a key with a floor ends at its own time, before the floor', async () => {
    await world.redis.set(key, `L${randomUUID()}@${Date.now() - 1};F3`, 'PX', 60_000);
    await read(says('filled'));
    expect((await read(says('x'))).value).toBe('filled');
  });

  test('of another reader makes a reader look three times within 150 ms, then load without a fill', async () => {
    await world.redis.set(key, `L${randomUUID()}`, 'PX', 60_000);
    expect(await requests(() => read(says(1)))).toBe(4);
  });

  test('gives the waiting reader the value when its owner fills the key, without a second load', async () => {
    let filled = false;
    const slow = read(async () => {
      await sleep(30);
      filled = true;
      return [{ value: 'shared', version: 1 }];
    });
    while (!(await world.redis.get(key))) await sleep(1);
    const load = says('own');
    expect(await read(load)).toMatchObject({ value: 'shared', cache: 'hit' });
    expect({ filled, loads: load.loads }).toEqual({ filled: true, loads: 0 });
    await slow;
  });

  test('reduces 1 000 parallel misses in 8 processes to fewer than 200 loads', async () => {
    const all = await inProcesses<{ loads: number; values: string[] }>(
      'test/support/stampede-process.ts',
      8,
      world.env,
    );
    expect(all.flatMap(({ values }) => values)).toEqual(Array(1_000).fill('loaded'));
    const loads = all.reduce((sum, { loads }) => sum + loads, 0);
    expect(loads).toBeGreaterThanOrEqual(1);
    expect(loads).toBeLessThan(200);
  }, 60_000);
});

describe('a stale value', () => {
  const short = { ...POLICY, freshSeconds: 0.001 };
  beforeEach(async () => {
    await read(says('old'), short);
    await sleep(5);
  });

  test('is refreshed by one caller, and the others are served the stale value', async () => {
    const others: unknown[] = [];
    const found = await read(async () => {
      const load = says('not asked');
      for (let i = 0; i < 3; i++) others.push((await read(load)).cache, load.loads);
      return [{ value: 'new', version: 2 }];
    });
    expect(found).toMatchObject({ value: 'new' });
    expect(others).toEqual(['stale', 0, 'stale', 0, 'stale', 0]);
    expect(await read(says('x'))).toMatchObject({ value: 'new', cache: 'hit' });
  });

  test('costs two requests for the caller that refreshes, one for the others', async () => {
    expect(await requests(() => read(says('new'), short))).toBe(2);
    await sleep(5);
    await read(async () => {
      expect(await requests(() => read(says('x')))).toBe(1);
      return [{ value: 'newer', version: 3 }];
    });
  });

  test('is served within its grace time while the database fails, and is not loaded again for a while', async () => {
    expect(await read(fails)).toMatchObject({ value: 'old', cache: 'stale' });
    const load = says('new');
    expect(await read(load)).toMatchObject({ value: 'old' });
    expect(load.loads).toBe(0);
  });
});
