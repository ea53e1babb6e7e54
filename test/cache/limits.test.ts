import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayFault } from '../../gateway/faults.ts';
import { type Found, type Load, readThrough } from '../../shared/cache/cache.ts';
import { invalidate, writeStrict } from '../../shared/cache/write.ts';
import { EngineError } from '../../shared/errors.ts';
import { LocalCache } from '../../shared/local-cache.ts';
import { runInvocation } from '../../shared/telemetry.ts';
import { readKey } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';
import { key, POLICY, read, says, sleep } from '../support/cache-reads.ts';

let world: AdmissionWorld;
let fault: (() => GatewayFault | undefined) | undefined;
beforeAll(async () => {
  world = await startAdmissionWorld(() => fault?.());
});
beforeEach(async () => {
  fault = undefined;
  await world.redis.flushall();
});
afterAll(() => world.stop());

const requests = async (work: () => Promise<unknown>): Promise<number> => {
  world.gateway.resetStats();
  await work();
  return world.gateway.stats().requests;
};

describe('a read of many records', () => {
  const keys = ['a', 'b', 'c', 'd'].map((id) => readKey(id));
  const rows: Load<string> = async (indexes) =>
    indexes.map((i) => ({ value: i === 3 ? null : `row ${i}`, version: 1 }));

  test('costs one request when all are cached, else two, and leaves null markers for absent ids', async () => {
    expect(await requests(() => readThrough(keys, POLICY, rows))).toBe(2);
    expect(await requests(() => readThrough(keys, POLICY, rows))).toBe(1);
    expect((await readThrough(keys, POLICY, rows)).map(({ cache }) => cache)).toEqual(['hit', 'hit', 'hit', 'null']);
    expect(await world.redis.get(keys[3] as string)).toMatch(/^N/);
  });

  test('that lost one lease fills the other keys', async () => {
    await readThrough(keys, POLICY, async (indexes, fresh) => {
      await invalidate([keys[1] as (typeof keys)[number]]);
      return rows(indexes, fresh);
    });
    const stored = await world.redis.mget(...keys);
    expect(stored.map((value) => value?.charAt(0) ?? '-')).toEqual(['J', '-', 'J', 'N']);
  });
});

describe('within one invocation', () => {
  const inOneInvocation = <T>(work: () => Promise<T>): Promise<T> => runInvocation('test', 30_000, work);

  test('parallel reads of one key share one load, and the shared value is frozen', async () => {
    const load = says({ inner: { n: 1 } });
    const all = await inOneInvocation(() => Promise.all(Array.from({ length: 20 }, () => read(load))));
    expect(load.loads).toBe(1);
    const shared = all[0]?.value as { inner: object } | undefined;
    expect(Object.isFrozen(shared?.inner)).toBe(true);
  });

  test('a read after a write does not get the result of a read that began before the write', async () => {
    await inOneInvocation(async () => {
      const before = read(async () => {
        await invalidate([key]);
        expect((await read(says('new'))).value).toBe('new');
        return [{ value: 'old', version: 1 }];
      });
      await before;
    });
  });
});

describe('when Redis is down', () => {
  const badGateway = (): GatewayFault => ({ kind: 'status', status: 502, body: '<html>no</html>' });

  test('a loaded value is returned although it cannot be cached', async () => {
    const found = await read(async () => {
      fault = badGateway;
      return [{ value: 'loaded', version: 1 }];
    });
    expect(found).toMatchObject({ value: 'loaded', cache: 'miss' });
  });

  test('a process loads at most eight values from MySQL at the same time', async () => {
    fault = badGateway;
    let now = 0;
    let most = 0;
    // The loads end when the first read was refused, however slow the machine is.
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const slow: Load<unknown> = async () => {
      most = Math.max(most, ++now);
      await ended;
      now--;
      return [{ value: 1, version: 1 }];
    };
    const all = await Promise.allSettled(Array.from({ length: 30 }, () => read(slow).finally(end)));
    expect(most).toBe(8);
    expect(all.some(({ status }) => status === 'rejected')).toBe(true);
  });

  test('the circuit breaker opens after three failures, and closes two seconds later', async () => {
    fault = badGateway;
    for (let i = 0; i < 3; i++) await read(says(1));
    expect(await requests(() => read(says(1)))).toBe(0);
    fault = undefined;
    await sleep(2_100);
    await read(says('back'));
    expect((await read(says('x'))).value).toBe('back');
  });

  test('a strict write is refused before its statement is sent', async () => {
    fault = badGateway;
    let sent = false;
    const write = writeStrict([key], async () => {
      sent = true;
    });
    await expect(write).rejects.toThrow(EngineError);
    expect(sent).toBe(false);
  });
});

describe('a key family with a copy in the process', () => {
  test('costs no request until its copy expires, keeps null markers too, and limits entries and bytes', async () => {
    fault = undefined;
    await sleep(2_100);
    const local = new LocalCache<Found<unknown>>(2, 5_000, 4_000);
    const policy = { ...POLICY, local };
    await read(says(null), policy);
    expect(await requests(() => read(says(1), policy))).toBe(0);
    await readThrough([readKey('p'), readKey('q')], policy, says('v'));
    expect(await requests(() => read(says(1), policy))).toBe(1);
    await readThrough([readKey('big')], policy, says('x'.repeat(3_000)));
    expect(await requests(() => readThrough([readKey('big')], policy, says(1)))).toBe(1);
  });
});
