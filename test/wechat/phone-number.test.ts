import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { WECHAT_PATHS } from '../../local/simulators/wechat/paths.ts';
import type { PhoneOwner } from '../../local/simulators/wechat/phone.ts';
import type { ReadAnswer } from '../../shared/cache/cache.ts';
import { AppError } from '../../shared/errors.ts';
import type { MiniProgram } from '../../shared/wechat/mini-program.ts';
import { exchangePhoneCode, type PhoneNumber, phoneExchangeRead } from '../../shared/wechat/phone-number.ts';
import { countsOf, startTokenWorld, type TokenWorld } from '../support/token-world.ts';

const PHONE = WECHAT_PATHS.phone;
const APP = 'app-1';
const ADA = { number: '+8613580006666', masked: '135****6666' };

let world: TokenWorld;
let program: MiniProgram;
beforeAll(async () => {
  world = await startTokenWorld();
  program = world.newProgram();
});
afterAll(() => world.stop());
afterEach(async () => {
  world.wechat.misbehave(null);
  world.breakRedis(undefined);
  const counted = await world.redis.keys('*:lock:phone-cost:*');
  if (counted.length > 0) await world.redis.del(counted);
});

const newCode = (owner: PhoneOwner = {}): string =>
  world.wechat.issuePhoneCode({ appid: program.wechatAppid, number: '13580006666', ...owner });

/** As admission reads it. */
async function keptFor(code: string): Promise<ReadAnswer> {
  const { key } = phoneExchangeRead(APP, code);
  const [value, ms] = [await world.redis.get(key), await world.redis.pttl(key)];
  return { state: 'plain', stored: value === null ? '' : `${ms};${value}` };
}
type Outcome = PhoneNumber | string;
async function exchange(
  code: string,
  { who = 'ada', kept = undefined as ReadAnswer | undefined } = {},
): Promise<Outcome> {
  try {
    return await exchangePhoneCode({ appId: APP, program, who, kept: kept ?? (await keptFor(code)) }, code);
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}
/** The outcome, how often WeChat was asked, and what was counted. */
async function observe(work: () => Promise<Outcome>) {
  const before = world.wechat.calls(PHONE);
  let outcome: Outcome = '';
  const counts = await countsOf(async () => {
    outcome = await work();
  });
  const alarms = Object.keys(counts).filter((name) => name.startsWith('alarm.'));
  return { outcome, asked: world.wechat.calls(PHONE) - before, alarms, counts };
}

describe('a phone code', () => {
  test('is exchanged for the number of the user, with one request to WeChat and two to Redis', async () => {
    await exchange(newCode());
    const code = newCode();
    const kept = await keptFor(code);
    let seen = {};
    const requests = await world.requests(async () => {
      seen = await observe(() => exchange(code, { kept }));
    });
    expect(seen).toMatchObject({ outcome: ADA, asked: 1, alarms: [], counts: { 'wechat.phone-exchanged': 1 } });
    expect(requests).toBe(2);
  });

  test('gives the same user the same number for five minutes, and WeChat is not asked again', async () => {
    const code = newCode();
    await exchange(code);
    expect(await observe(() => exchange(code))).toMatchObject({ outcome: ADA, asked: 0 });
    const { key } = phoneExchangeRead(APP, code);
    expect(await world.redis.pttl(key)).toBeLessThanOrEqual(300_000);
    await world.redis.del(key);
    expect(await exchange(code)).toBe('BAD_CREDENTIALS');
  });

  test('gives another user nothing, and does not take the number from the first', async () => {
    const code = newCode();
    await exchange(code);
    expect(await observe(() => exchange(code, { who: 'bob' }))).toMatchObject({
      outcome: 'BAD_CREDENTIALS',
      alarms: [],
    });
    expect(await exchange(code, { who: 'bob', kept: { state: 'plain', stored: '' } })).toBe('BAD_CREDENTIALS');
    expect(await exchange(code)).toEqual(ADA);
  });

  test('that one user sends twice at once gives the number twice', async () => {
    const code = newCode();
    const kept = await keptFor(code);
    await exchange(code, { kept });
    expect(await exchange(code, { kept })).toEqual(ADA);
  });

  test('gives its number also when Redis is down', async () => {
    const code = newCode();
    await exchange(newCode());
    const kept = await keptFor(code);
    world.breakRedis({ kind: 'status', status: 500, body: 'down' });
    expect(await exchange(code, { kept })).toEqual(ADA);
    expect(await exchange(code, { kept })).toBe('BAD_CREDENTIALS');
  });

  test('leaves no number in Redis that can be read, and none in a log line', async () => {
    const lines: string[] = [];
    const written = vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(String(line)));
    process.env.LOG = 'on';
    const number = `139${randomBytes(4).readUInt32BE(0).toString().padStart(8, '0').slice(-8)}`;
    for (const owner of [{}, { watermarkAppid: 'wx-other' }, { countryCode: '0086' }])
      await exchange(newCode({ number, ...owner }));
    process.env.LOG = 'off';
    written.mockRestore();
    expect(lines.join()).toContain('alarm');
    expect(lines.join()).not.toContain(number.slice(3));
    for (const key of await world.redis.keys('*')) {
      if ((await world.redis.type(key)) === 'string') expect(await world.redis.get(key)).not.toContain(number);
      expect(key).not.toContain(number);
    }
  });
});

describe('what WeChat answers to a phone code', () => {
  test.each<[string, number, string, string[]]>([
    ['invalid code', 40029, 'BAD_CREDENTIALS', []],
    ['code of another mini-program', 40013, 'BAD_CREDENTIALS', []],
    ['busy', -1, 'WECHAT_BUSY', []],
    ['too many calls', 45011, 'WECHAT_BUSY', []],
    ['quota of the day', 45009, 'WECHAT_BUSY', ['alarm.wechat.quota']],
    ['no right to the interface', 48001, 'UNAVAILABLE', ['alarm.wechat.refused']],
  ])('%s (%d) is %s, alarms: %j', async (_what, errcode, outcome, alarms) => {
    const code = newCode();
    await exchange(newCode());
    world.wechat.failNextAt(PHONE, errcode);
    expect(await observe(() => exchange(code))).toMatchObject({ outcome, alarms, asked: 1 });
    expect(await exchange(code)).toEqual(ADA);
  });

  test('no answer is UNAVAILABLE', async () => {
    world.wechat.misbehave(({ path }) => (path === PHONE ? { kind: 'cut' } : null));
    expect(await observe(() => exchange(newCode()))).toMatchObject({ outcome: 'UNAVAILABLE', asked: 1, alarms: [] });
  });

  test('the watermark of another mini-program is BAD_CREDENTIALS, alarms, and nothing is kept', async () => {
    const code = newCode({ watermarkAppid: 'wx-other' });
    expect(await observe(() => exchange(code))).toMatchObject({
      outcome: 'BAD_CREDENTIALS',
      alarms: ['alarm.wechat.phone-watermark'],
    });
    expect((await keptFor(code)).stored).toBe('');
  });

  test.each([
    ['13580006666', '86', '+8613580006666', '135****6666'],
    ['2015550123', '1', '+12015550123', '****0123'],
    ['61234567', '852', '+85261234567', '****4567'],
    ['212345', '376', '+376212345', '****45'],
  ])('%s of country %s is %s, shown as %s', async (number, countryCode, e164, masked) => {
    expect(await exchange(newCode({ number, countryCode }))).toEqual({ number: e164, masked });
  });

  test.each([
    ['+8613580006666', '86'],
    ['', '86'],
    ['13580006666', ''],
    ['123456789012345', '86'],
    ['1358000x666', '86'],
  ])('%j of country %j is no number: UNAVAILABLE, and it alarms', async (number, countryCode) => {
    expect(await observe(() => exchange(newCode({ number, countryCode })))).toMatchObject({
      outcome: 'UNAVAILABLE',
      alarms: ['alarm.wechat.phone-format'],
    });
  });

  test('a country code that is a number, as on the page of WeChat, is understood', async () => {
    const watermark = { timestamp: 1637744274, appid: program.wechatAppid };
    const phone_info = { phoneNumber: '13580006666', purePhoneNumber: '13580006666', countryCode: 86, watermark };
    await exchange(newCode());
    world.wechat.misbehave({ kind: 'answer', status: 200, body: { errcode: 0, errmsg: 'ok', phone_info } });
    expect(await exchange('any-code')).toEqual(ADA);
  });
});
