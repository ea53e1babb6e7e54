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
    ['an object that looks like a tag', { $bigint: '1' }],
    ['what looks like a lease', 'Labc'],
    ['much text', '长'.repeat(5_000)],
  ])('%s comes back exactly', async (_what, value) => {
    await read(says(value));
    const load = says('not this');
    expect(await read(load)).toEqual({ value, reason: '', cache: 'hit' });
    expect(load.loads).toBe(0);
  });

  test('costs two requests when it is missed, one when it is there, and so does its absence', async () => {
    expect(await requests(() => read(says(1)))).toBe(2);
    expect(await requests(() => read(says(1)))).toBe(1);
    await invalidate([key]);
    expect(await requests(() => read(says(null)))).toBe(2);
    expect(await requests(() => read(says(1)))).toBe(1);
  });

  test('that nobody can read, or of another codec, is a miss, removed and loaded again', async () => {
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

  test('has an end that is spread, so that what was filled together does not end together', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => readKey(`spread-${i}`));
    await readThrough(keys, POLICY, says(1));
    const ends = await Promise.all(keys.map((each) => world.redis.pttl(each)));
    expect(Math.min(...ends)).toBeGreaterThan(110_000);
    expect(Math.max(...ends) - Math.min(...ends)).toBeGreaterThan(3_000);
  });
});

describe('a null marker', () => {
  test('says “known not to exist”, asks no loader, and ends by its own short time', async () => {
    await read(says(null));
    const load = says('there by now');
    expect(await read(load)).toEqual({ value: null, reason: '', cache: 'null' });
    expect(load.loads).toBe(0);
    expect(await world.redis.pttl(key)).toBeLessThanOrEqual(22_000);
  });

  test('stands until it is invalidated, though the row would be found by now', async () => {
    await read(says(null));
    expect((await read(says('row'))).value).toBe(null);
    await writeThrough(async () => {}, [key]);
    expect((await read(says('row'))).value).toBe('row');
  });

  test('never comes from a loader that failed: the error is passed on and the next call loads again', async () => {
    await expect(read(fails)).rejects.toThrow(EngineError);
    expect(await world.redis.get(key)).toBe(null);
    expect((await read(says('row'))).value).toBe('row');
  });

  test('never lands over what somebody stored while the loader ran', async () => {
    await read(async () => {
      await invalidate([key]);
      await readThrough([key], POLICY, says('real'));
      return [{ value: null, version: 1 }];
    });
    expect((await read(says('other'))).value).toBe('real');
  });
});

describe('an invalidation during a load', () => {
  test('lets the caller have what it loaded, and keeps it out of the cache', async () => {
    const found = await read(async () => {
      await invalidate([key]);
      return [{ value: 'old', version: 1 }];
    });
    expect(found).toMatchObject({ value: 'old', cache: 'miss' });
    expect((await read(says('new'))).value).toBe('new');
  });

  test('also when what was loaded is a refresh of a stale value', async () => {
    await read(says('first'), { ...POLICY, freshSeconds: 0.001 });
    await sleep(5);
    await read(async () => {
      await invalidate([key]);
      return [{ value: 'old', version: 1 }];
    });
    expect((await read(says('new'))).value).toBe('new');
  });

  test('a strict writer’s tombstone has readers ask the database and fill nothing, until the last of them ends', async () => {
    await writeStrict([key], async () => {
      await writeStrict([key], async () => {});
      expect(await read(says('seen'))).toMatchObject({ value: 'seen', cache: 'miss' });
      expect(await world.redis.get(key)).toMatch(/^T/);
    });
    expect(await world.redis.get(key)).toBe(null);
  });

  test('a strict writer that never learns the outcome leaves the tombstone to end by itself', async () => {
    const unknown = writeStrict([key], async () => {
      throw new EngineError('mysql', 'timeout', 'unknown');
    });
    await expect(unknown).rejects.toThrow(EngineError);
    expect(await world.redis.get(key)).toMatch(/^T/);
    expect(await world.redis.pttl(key)).toBeGreaterThan(30_000);
  });
});

describe('a lease', () => {
  test('of an owner that died is taken over when it ends', async () => {
    await world.redis.set(key, `L${randomUUID()}`, 'PX', 60_000);
    expect((await read(says('unfilled'))).cache).toBe('miss');
    expect(await world.redis.get(key)).toMatch(/^L/);
    await world.redis.del(key);
    await read(says('filled'));
    expect((await read(says('x'))).value).toBe('filled');
  });

  test('under a floor ends by its own time, though the floor stands longer', async () => {
    await world.redis.set(key, `L${randomUUID()}@${Date.now() - 1};F3`, 'PX', 60_000);
    await read(says('filled'));
    expect((await read(says('x'))).value).toBe('filled');
  });

  test('of another has a reader look three times in 150 ms, then read without filling', async () => {
    await world.redis.set(key, `L${randomUUID()}`, 'PX', 60_000);
    expect(await requests(() => read(says(1)))).toBe(4);
  });

  test('that is filled meanwhile gives the waiting reader the value, with no load of its own', async () => {
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

  test('lets one load happen, and a few late ones, of 1 000 parallel misses over 8 processes', async () => {
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

  test('is refreshed by one caller while the others are served on', async () => {
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

  test('costs the one who refreshes two requests and the others one', async () => {
    expect(await requests(() => read(says('new'), short))).toBe(2);
    await sleep(5);
    await read(async () => {
      expect(await requests(() => read(says('x')))).toBe(1);
      return [{ value: 'newer', version: 3 }];
    });
  });

  test('is served inside its grace while the database fails, and not asked for again for a while', async () => {
    expect(await read(fails)).toMatchObject({ value: 'old', cache: 'stale' });
    const load = says('new');
    expect(await read(load)).toMatchObject({ value: 'old' });
    expect(load.loads).toBe(0);
  });
});
