import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { AppError, EngineError } from '../../shared/errors.ts';
import { accessTokenOf } from '../../shared/wechat/access-token.ts';
import type { MiniProgram } from '../../shared/wechat/mini-program.ts';
import { readTokenStatus } from '../../shared/wechat/token-status.ts';
import { dumpRedis } from '../support/engine-dump.ts';
import { countsOf, startTokenWorld, TOKEN_PATH, type TokenWorld } from '../support/token-world.ts';

let world: TokenWorld;
let aheadMs = 0;
const rightNow = Date.now;
beforeAll(async () => {
  world = await startTokenWorld();
  vi.spyOn(Date, 'now').mockImplementation(() => rightNow() + aheadMs);
});
afterEach(() => {
  world.wechat.misbehave(null);
  world.breakRedis(undefined);
});
afterAll(async () => {
  vi.restoreAllMocks();
  await world.stop();
});

/** Moves all clocks until the token of `program` has so many seconds left. */
async function leave(program: MiniProgram, seconds: number): Promise<void> {
  aheadMs += (7_200 - seconds) * 1_000;
  await (seconds > 0 ? world.endInRedis(program, seconds * 1_000) : world.redis.flushall());
}

const seen = (uses: Array<PromiseSettledResult<{ token: string }>>): string[] =>
  uses.map((use) => {
    if (use.status === 'fulfilled') return use.value.token;
    return use.reason instanceof AppError ? use.reason.code : use.reason.constructor.name;
  });
const together = async (calls: number, program: MiniProgram): Promise<string[]> =>
  seen(await Promise.allSettled(Array.from({ length: calls }, () => accessTokenOf(program))));

describe('a token', () => {
  test('costs two requests and a fetch on a miss, nothing in a warm process, and one request in another', async () => {
    const program = world.newProgram();
    const [first] = await Promise.all([accessTokenOf(program)]);
    expect(await world.requests(() => world.processes(1, program))).toBe(1);
    const fresh = world.newProgram();
    expect(await world.requests(() => world.fetches(() => accessTokenOf(fresh)))).toBe(2);
    expect(await world.requests(() => together(20, program))).toBe(0);
    const [other] = await world.processes(1, program);
    expect(other?.token).toBe(first.token);
    expect(world.wechat.calls(TOKEN_PATH)).toBe(2);
  });

  test('is not in Redis in clear', async () => {
    const { token } = await accessTokenOf(world.newProgram());
    const dump = await dumpRedis(world.redis);
    expect(dump).toContain('wechat-token');
    expect(dump).not.toContain(token.slice(0, 16));
  });

  test('is fetched with the former secret while a secret is exchanged', async () => {
    const program = world.newProgram();
    const both = { ...program, secrets: ['not-yet-known-to-wechat', ...program.secrets] };
    expect(await world.fetches(() => accessTokenOf(both))).toBe(2);
  });

  test('that cannot be opened is fetched again', async () => {
    const program = world.newProgram();
    await world.processes(1, program);
    const [key = ''] = await world.redis.keys(`*:wechat-token:*:${program.wechatAppid}`);
    await world.redis.set(key, `${'0'.repeat(32)};abc.def.ghi`, 'KEEPTTL');
    expect(await world.fetches(() => accessTokenOf(program))).toBe(1);
    expect(await world.fetches(() => world.processes(1, program))).toBe(0);
  });
});

describe('near the end of the token', () => {
  test('one caller refreshes it, and the others keep the old one', async () => {
    const program = world.newProgram();
    const { token: old } = await accessTokenOf(program);
    await leave(program, 299);
    world.wechat.misbehave({ kind: 'delay', ms: 300 });
    const calls = await world.fetches(async () => {
      const tokens = await together(30, program);
      expect(tokens.filter((token) => token === old)).toHaveLength(29);
    });
    expect(calls).toBe(1);
    expect((await accessTokenOf(program)).token).not.toBe(old);
  });

  test.each([
    ['is busy', () => world.wechat.failNextAt(TOKEN_PATH, -1)],
    ['has used up its quota', () => world.wechat.failNextAt(TOKEN_PATH, 45009)],
    ['does not answer in time', () => world.wechat.misbehave({ kind: 'hang' })],
    ['answers with HTML', () => world.wechat.misbehave({ kind: 'answer', status: 200, body: '<html>' })],
    ['cuts its answer', () => world.wechat.misbehave({ kind: 'cut' })],
    ['cannot be reached', () => world.wechat.misbehave({ kind: 'refuse' })],
  ])('the old one is used while WeChat %s', async (_what, fail) => {
    const program = world.newProgram();
    const { token: old } = await accessTokenOf(program);
    await leave(program, 200);
    fail();
    expect(await together(10, program)).toEqual(Array(10).fill(old));
  });

  test('a refresh that brings the same token again is not repeated by each caller', async () => {
    const program = world.newProgram();
    const { token: old } = await accessTokenOf(program);
    await leave(program, 200);
    const answer = { access_token: old, expires_in: 200 };
    world.wechat.misbehave({ kind: 'answer', status: 200, body: answer });
    const counts = await countsOf(() => together(10, program));
    expect(await together(10, program)).toEqual(Array(10).fill(old));
    expect(counts['wechat.token-refreshed']).toBe(1);
  });
});

describe('without a token', () => {
  test.each([
    ['is busy', () => world.wechat.failNextAt(TOKEN_PATH, -1), 'WECHAT_BUSY'],
    ['has used up its quota', () => world.wechat.failNextAt(TOKEN_PATH, 45009), 'WECHAT_BUSY'],
    ['does not answer in time', () => world.wechat.misbehave({ kind: 'hang' }), 'UNAVAILABLE'],
    ['answers with HTML', () => world.wechat.misbehave({ kind: 'answer', status: 200, body: '<html>' }), 'UNAVAILABLE'],
    ['refuses the secret', () => world.wechat.failNextAt(TOKEN_PATH, 40125), 'UNAVAILABLE'],
    ['answers without a token', () => world.wechat.misbehave({ kind: 'answer', status: 200, body: {} }), 'UNAVAILABLE'],
  ])('WeChat is asked once for all callers when it %s', async (_what, fail, code) => {
    const program = world.newProgram();
    fail();
    const asked = await countsOf(async () => {
      const codes = await together(20, program);
      expect(codes.filter((one) => one === code).length).toBeGreaterThan(0);
      expect(codes.filter((one) => one !== code && one !== 'UNAVAILABLE')).toEqual([]);
    });
    expect(asked['wechat.token-failed']).toBe(1);
  });

  test('a wrong secret and a used-up quota alarm', async () => {
    world.wechat.failNextAt(TOKEN_PATH, 40125);
    const refused = await countsOf(() => together(1, world.newProgram()));
    expect(refused['alarm.wechat.refused']).toBe(1);
    world.wechat.failNextAt(TOKEN_PATH, 45009);
    expect((await countsOf(() => together(1, world.newProgram())))['alarm.wechat.quota']).toBe(1);
  });

  test('another caller fetches when the one that holds the lease has died', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    const [key = ''] = await world.redis.keys(`*:wechat-token:*:${program.wechatAppid}`);
    await leave(program, 0);
    await world.redis.set(key.replace(':wechat-token:', ':wechat-token-lease:'), 'dead', 'PX', 400);
    expect(await world.fetches(() => together(20, program))).toBe(1);
  });
});

describe('Redis', () => {
  const down = { kind: 'status', status: 500, body: 'down' } as const;
  /** The breaker of this process tries Redis again. */
  const heal = () => {
    world.breakRedis(undefined);
    aheadMs += 3_000;
  };

  test('that was flushed costs one fetch, which brings the same token', async () => {
    const program = world.newProgram();
    const { token } = await accessTokenOf(program);
    await world.redis.flushall();
    const fetched = await world.fetches(async () => {
      expect(await together(10, program)).toEqual(Array(10).fill(token));
      const others = await world.processes(2, program, { CALLS: '10' });
      expect(others.map((use) => use.token)).toEqual(Array(20).fill(token));
    });
    expect(fetched).toBe(1);
  });

  test('that is down leaves each process the token it has, until its end', async () => {
    const program = world.newProgram();
    const { token } = await accessTokenOf(program);
    await leave(program, 100);
    world.breakRedis(down);
    expect(await world.fetches(async () => expect(await together(10, program)).toEqual(Array(10).fill(token)))).toBe(0);
    aheadMs += 101_000;
    const [next] = await together(1, program);
    expect(next).not.toBe(token);
    expect(await world.fetches(() => together(10, program))).toBe(0);
    heal();
  });

  test('that is down lets at most eight callers of a process ask WeChat at once', async () => {
    const program = world.newProgram();
    world.breakRedis(down);
    world.wechat.misbehave({ kind: 'delay', ms: 300 });
    let codes: string[] = [];
    const fetched = await world.fetches(async () => {
      codes = await together(20, program);
    });
    expect(fetched).toBe(8);
    expect(codes.filter((code) => code === EngineError.name)).toHaveLength(12);
    expect(new Set(codes).size).toBe(2);
    heal();
  });

  test('whose answer is lost after it gave the lease costs one fetch', async () => {
    const program = world.newProgram();
    world.breakRedis({ kind: 'drop-after' });
    const fetched = await world.fetches(async () => expect(await together(1, program)).toHaveLength(1));
    expect(fetched).toBe(1);
    heal();
  });
});

describe('several processes', () => {
  test('1 000 callers over eight processes at expiry: one fetch', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    await leave(program, 0);
    const fetched = await world.fetches(async () => {
      const uses = await world.processes(8, program, { CALLS: '125', SKEW_MS: String(aheadMs) });
      expect(uses).toHaveLength(1_000);
      expect(uses.filter(({ token }) => token === undefined)).toEqual([]);
      expect(new Set(uses.map(({ token }) => token)).size).toBe(1);
    });
    expect(fetched).toBe(1);
  });

  test('1 000 callers over eight processes shortly before the end: one fetch, and no caller waits for it', async () => {
    const program = world.newProgram();
    const { token: old } = await accessTokenOf(program);
    await leave(program, 200);
    world.wechat.misbehave({ kind: 'delay', ms: 200 });
    const fetched = await world.fetches(async () => {
      const uses = await world.processes(8, program, { CALLS: '125' });
      expect(uses.filter(({ token }) => token === undefined)).toEqual([]);
      expect(new Set(uses.map(({ token }) => token)).size).toBeLessThanOrEqual(2);
      expect(uses.some(({ token }) => token === old)).toBe(true);
    });
    expect(fetched).toBe(1);
  });

  test.each([600_000, -600_000])('a clock that is %d ms off changes neither the token nor its end', async (skewMs) => {
    const program = world.newProgram();
    const { token, endsAt } = await accessTokenOf(program);
    const fetched = await world.fetches(async () => {
      const uses = await world.processes(1, program, { CALLS: '3', SKEW_MS: String(skewMs) });
      for (const use of uses) {
        expect(use.token).toBe(token);
        expect(Math.abs((use.endsAt ?? 0) - endsAt)).toBeLessThan(1_000);
      }
    });
    expect(fetched).toBe(0);
  });

  test('of two deployments with one mini-program have the same token', async () => {
    const program = world.newProgram();
    const { token } = await accessTokenOf(program);
    const fetched = await world.fetches(async () => {
      const uses = await world.processes(2, program, { CALLS: '5', STAGE: 'other' });
      expect(uses.map((use) => use.token)).toEqual(Array(10).fill(token));
    });
    expect(fetched).toBe(1);
  });
});

test('operators see the age and the end of a token, and what was refreshed today', async () => {
  const program = world.newProgram();
  expect(await readTokenStatus(program.wechatAppid)).toEqual({
    endsAt: null,
    ageSeconds: null,
    refreshesToday: 0,
    forcedToday: 0,
  });
  await accessTokenOf(program);
  const status = await readTokenStatus(program.wechatAppid);
  expect(status).toMatchObject({ refreshesToday: 1, forcedToday: 0 });
  expect(status.ageSeconds).toBeLessThan(60);
  expect(Date.parse(status.endsAt ?? '')).toBeGreaterThan(rightNow() + 7_100_000);
});
