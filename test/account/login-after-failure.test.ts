import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { channelDigest } from '../../client/channel-digest.ts';
import type { GatewayFault } from '../../gateway/faults.ts';
import { lockCounters } from '../support/lock-counters.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** What a login uses up is still good after a failure of ours, and nothing is charged. */
const READ_ONLY: GatewayFault = {
  kind: 'status',
  status: 200,
  body: JSON.stringify({ error: { code: 'UNKNOWN', message: 'x (errno 1290) (sqlstate HY000)' } }),
};
const ENTRY = { address: '127.0.0.1', port: 7000 };

describe('after a login that we failed', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });
  afterEach(() => {
    stack.faults.mysql = undefined;
    stack.wechat.misbehave(null);
  });

  const post = (path: string, body: unknown) => stack.call(app, 'POST', path, { body });
  /** The same call while MySQL refuses every statement from the `nth` on, then again with MySQL. */
  async function failThenRepeat(call: () => ReturnType<typeof post>, nth = 1) {
    const before = await lockCounters(stack.redis);
    let seen = 0;
    stack.faults.mysql = () => (++seen >= nth ? READ_ONLY : undefined);
    const failed = await call();
    expect([failed.status, failed.body.code, failed.body.retryable]).toEqual([503, 'UNAVAILABLE', true]);
    expect(await lockCounters(stack.redis)).toEqual(before);
    stack.faults.mysql = undefined;
    return call();
  }

  async function startedChannel() {
    const user = { channel: 'demo', channelUserId: randomBytes(6).toString('hex') };
    const { accountAddress, firstString } = (await post('/login/channel', user)).body;
    const timeStamp = String(Math.floor(Date.now() / 1000));
    const digest = channelDigest('HMAC-SHA256', accountAddress, firstString, timeStamp);
    return { accountAddress, digest, timeStamp, digestMethod: 'HMAC-SHA256' };
  }

  test.each([1, 2, 3])('the first string of a channel login is still valid (statement %i fails)', async (nth) => {
    const body = await startedChannel();
    expect(await failThenRepeat(() => post('/login/channel/verify', body), nth)).toMatchObject({ status: 200 });
    expect(await post('/login/channel/verify', body)).toMatchObject({ body: { code: 'LOGIN_INFO_MISMATCH' } });
  });

  test.each([1, 2])('the second string of a channel login is still valid (statement %i fails)', async (nth) => {
    const body = await startedChannel();
    const { accountAddress } = body;
    const { secondString } = (await post('/login/channel/verify', body)).body;
    const enter = () => post('/login/channel/enter', { accountAddress, secondString, entry: ENTRY });
    expect(await failThenRepeat(enter, nth)).toMatchObject({ status: 200 });
    expect(await enter()).toMatchObject({ body: { code: 'LOGIN_INFO_MISMATCH' } });
  });

  test('a returned second string keeps its end, its tries, and the other strings', async () => {
    const body = await startedChannel();
    const { accountAddress } = body;
    const { secondString } = (await post('/login/channel/verify', body)).body;
    const enter = (second: string) =>
      post('/login/channel/enter', { accountAddress, secondString: second, entry: ENTRY });
    for (let i = 0; i < 4; i++) await enter(`wrong-${i}`);
    const [key = ''] = (await stack.redis.keys('*:session:channel-second:*')).filter((name) =>
      name.includes(accountAddress),
    );
    const before = await stack.redis.get(key);
    stack.faults.mysql = () => READ_ONLY;
    expect((await enter(secondString)).status).toBe(503);
    stack.faults.mysql = undefined;
    expect(await stack.redis.get(key)).toBe(before);
    expect(await stack.redis.pttl(key)).toBeLessThanOrEqual(300_000);
    await enter('wrong-5');
    expect(await enter(secondString)).toMatchObject({ body: { code: 'LOGIN_INFO_MISMATCH' } });
  });

  test('a WeChat code still works once, and WeChat is not asked a second time', async () => {
    const code = stack.wechat.issueCode();
    const calls = stack.wechat.calls();
    const logIn = () => post('/login/wechat', { code });
    expect(await failThenRepeat(logIn)).toMatchObject({ status: 200 });
    expect(stack.wechat.calls() - calls).toBe(1);
    expect(await logIn()).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
  });

  test('what is kept of a WeChat code is sealed, belongs to one app, and ends', async () => {
    const openid = `openid-${randomBytes(6).toString('hex')}`;
    const code = stack.wechat.issueCode(openid);
    stack.faults.mysql = () => READ_ONLY;
    expect((await post('/login/wechat', { code })).status).toBe(503);
    stack.faults.mysql = undefined;
    const [key = ''] = await stack.redis.keys('*:session:wechat-exchange:*');
    expect(key).not.toContain(code);
    expect(await stack.redis.get(key)).not.toContain(openid);
    expect(await stack.redis.pttl(key)).toBeLessThanOrEqual(300_000);
    const other = await stack.call(await stack.createApp(), 'POST', '/login/wechat', { body: { code } });
    expect(other).toMatchObject({ status: 401 });
    expect((await post('/login/wechat', { code })).status).toBe(200);
    expect(await stack.redis.exists(key)).toBe(0);
  });

  test.each([-1, 45011])('400 logins while WeChat answers %i lock nobody at that address', async (errcode) => {
    stack.wechat.failNext(...Array(400).fill(errcode));
    for (let i = 0; i < 20; i++) {
      const codes = Array.from({ length: 20 }, () => randomBytes(6).toString('hex'));
      const answers = await Promise.all(codes.map((code) => post('/login/wechat', { code })));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    }
    expect((await post('/login/wechat', { code: stack.wechat.issueCode() })).status).toBe(200);
  });

  test('a login that is one too many at once is counted as a call, and as no failure', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `nobody-${i}`);
    const answers = await Promise.all(names.map((account) => post('/login', { account, password: 'wrong one' })));
    const count = (wanted: number) => answers.filter(({ status }) => status === wanted).length;
    const guesses = count(401);
    // On a busy machine a login may wait too long, or the gateway's time limit may come first. Then nothing is given back.
    const [late, cutOff] = [count(503), count(500)];
    expect(guesses + late + cutOff + count(429)).toBe(60);
    expect(count(429)).toBeGreaterThan(0);
    const refused = answers.find(({ status }) => status === 429);
    expect([refused?.body.code, refused?.headers.get('retry-after')]).toEqual(['LOCKED', '1']);
    const usedBy = async (rule: string): Promise<number> => {
      const all = Object.entries(await lockCounters(stack.redis)).filter(([key]) => key.includes(`:${rule}:`));
      return Math.max(...all.map(([, counter]) => Number(counter?.split(';')[1])));
    };
    // The rule of the address counts exactly the passwords that were compared.
    expect(await usedBy('failures-by-ip')).toBeGreaterThanOrEqual(guesses);
    expect(await usedBy('failures-by-ip')).toBeLessThanOrEqual(guesses + cutOff);
    expect(await usedBy('logins-by-address')).toBeGreaterThanOrEqual(guesses + count(429));
  });
});
