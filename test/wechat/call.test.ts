import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessTokenOf } from '../../shared/wechat/access-token.ts';
import { callWithToken } from '../../shared/wechat/call.ts';
import type { MiniProgram } from '../../shared/wechat/mini-program.ts';
import { CALL_PATH, countsOf, startTokenWorld, TOKEN_PATH, type TokenWorld } from '../support/token-world.ts';

let world: TokenWorld;
beforeAll(async () => {
  world = await startTokenWorld();
});
afterAll(() => world.stop());

const call = (program: MiniProgram) => callWithToken(program, CALL_PATH, { appid: program.wechatAppid });
const together = (calls: number, program: MiniProgram) =>
  Promise.all(Array.from({ length: calls }, async () => (await call(program))?.errcode));
const refuseNext = (times: number) => world.wechat.failNextAt(CALL_PATH, ...Array<number>(times).fill(40001));
/** WeChat refuses the token although it still returns it in normal mode: only a forced refresh helps. */
const refuseUntilForced = ({ wechatAppid }: MiniProgram) =>
  world.wechat.misbehave(({ path }) => {
    if (path !== CALL_PATH || world.wechat.forcedRefreshes(wechatAppid) > 0) return null;
    return { kind: 'answer', status: 200, body: { errcode: 40001 } };
  });
/** How often WeChat got the call itself while `work` ran. */
async function calls(work: () => Promise<unknown>): Promise<number> {
  const before = world.wechat.calls(CALL_PATH);
  await work();
  return world.wechat.calls(CALL_PATH) - before;
}

test('a call costs one request to WeChat and none to Redis in a warm process', async () => {
  const program = world.newProgram();
  await accessTokenOf(program);
  expect(await world.requests(async () => expect(await calls(() => call(program))).toBe(1))).toBe(0);
});

test.each([
  ['HTML', { kind: 'answer', status: 200, body: '<html>' } as const],
  ['nothing', { kind: 'hang' } as const],
  ['half an answer', { kind: 'cut' } as const],
])('WeChat answers %s: there is no clear answer, and the call is not repeated', async (_what, fault) => {
  const program = world.newProgram();
  await accessTokenOf(program);
  world.wechat.misbehave(fault);
  expect(await call(program)).toBeUndefined();
  world.wechat.misbehave(null);
});

test('another refusal is returned as it is, and a used-up quota alarms', async () => {
  const program = world.newProgram();
  await accessTokenOf(program);
  world.wechat.failNextAt(CALL_PATH, 45009);
  const counts = await countsOf(async () => expect((await call(program))?.errcode).toBe(45009));
  expect(counts['alarm.wechat.quota']).toBe(1);
});

describe('a call whose token is refused', () => {
  test.each([40001, 40014, 42001])('is repeated once with another one: %d', async (errcode) => {
    const program = world.newProgram();
    await accessTokenOf(program);
    world.wechat.failNextAt(CALL_PATH, errcode);
    expect(await calls(async () => expect((await call(program))?.errcode).toBe(0))).toBe(2);
    expect(world.wechat.forcedRefreshes(program.wechatAppid)).toBe(1);
  });

  test('takes the newer token of Redis with one request', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    world.wechat.endTokens(program.wechatAppid);
    await world.processes(1, program, { CALL_PATH });
    const fetched = await world.fetches(async () => {
      expect(await world.requests(async () => expect((await call(program))?.errcode).toBe(0))).toBe(1);
    });
    expect(fetched).toBe(0);
  });

  test('takes the token that WeChat has now, without force', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    world.wechat.endTokens(program.wechatAppid);
    const fetched = await world.fetches(async () => expect((await call(program))?.errcode).toBe(0));
    expect([fetched, world.wechat.forcedRefreshes(program.wechatAppid)]).toEqual([1, 0]);
  });

  test('50 at once cause at most one forced refresh, and all succeed', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    refuseUntilForced(program);
    const fetched = await world.fetches(async () => expect(await together(50, program)).toEqual(Array(50).fill(0)));
    expect(fetched).toBe(2);
    expect(world.wechat.forcedRefreshes(program.wechatAppid)).toBe(1);
  });

  test('50 at once in five processes cause at most one forced refresh', async () => {
    const program = world.newProgram();
    await world.processes(1, program);
    refuseUntilForced(program);
    const fetched = await world.fetches(async () => {
      const uses = await world.processes(5, program, { CALL_PATH, CALLS: '10' });
      expect(uses).toEqual(Array(50).fill({ errcode: 0 }));
    });
    expect(fetched).toBe(2);
    expect(world.wechat.forcedRefreshes(program.wechatAppid)).toBe(1);
  });

  test('is not repeated a second time, and alarms', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    refuseNext(2);
    const counts = await countsOf(async () => {
      expect(await calls(async () => expect((await call(program))?.errcode).toBe(40001))).toBe(2);
    });
    expect(counts['alarm.wechat.token-refused']).toBe(1);
  });

  test('forces nothing within 30 s of the last forced refresh', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    refuseNext(1);
    await call(program);
    refuseNext(1);
    expect((await call(program))?.errcode).toBe(40001);
    expect((await call(program))?.errcode).toBe(0);
    expect(world.wechat.forcedRefreshes(program.wechatAppid)).toBe(1);
  });

  test('forces nothing when the budget of the day is used up', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    const [key = ''] = await world.redis.keys(`*:wechat-token-counters:*:${program.wechatAppid}`);
    await world.redis.hset(key, 'forced', 20);
    refuseNext(1);
    expect((await call(program))?.errcode).toBe(40001);
    await world.redis.hset(key, 'day', Number(await world.redis.hget(key, 'day')) - 1);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    refuseNext(1);
    expect((await call(program))?.errcode).toBe(0);
    expect(await world.redis.hget(key, 'forced')).toBe('1');
  });

  test('keeps its refusal when WeChat gives no token', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    refuseNext(1);
    world.wechat.failNextAt(TOKEN_PATH, -1);
    expect((await call(program))?.errcode).toBe(40001);
  });

  test('with Redis down asks WeChat, and forces nothing', async () => {
    const program = world.newProgram();
    await accessTokenOf(program);
    world.wechat.endTokens(program.wechatAppid);
    world.breakRedis({ kind: 'status', status: 500, body: 'down' });
    expect((await call(program))?.errcode).toBe(0);
    world.breakRedis(undefined);
    expect(world.wechat.forcedRefreshes(program.wechatAppid)).toBe(0);
  });
});

test('two deployments with one mini-program do not fight', async () => {
  const program = world.newProgram();
  await world.processes(1, program);
  await world.processes(1, program, { STAGE: 'other' });
  refuseUntilForced(program);
  const fetched = await world.fetches(async () => {
    const [here, there] = await Promise.all([
      world.processes(1, program, { CALL_PATH, CALLS: '10' }),
      world.processes(1, program, { CALL_PATH, CALLS: '10', STAGE: 'other' }),
    ]);
    expect([...here, ...there]).toEqual(Array(20).fill({ errcode: 0 }));
  });
  expect(fetched).toBeLessThanOrEqual(4);
  expect(world.wechat.forcedRefreshes(program.wechatAppid)).toBe(1);
});
