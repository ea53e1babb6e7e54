import type { CacheRead } from '../admission/request.ts';
import type { ReadAnswer } from '../cache/cache.ts';
import { ignoreEngine } from '../cache/write.ts';
import { AppError } from '../errors.ts';
import { type Key, keyFamily } from '../keys.ts';
import { SealError, seal, unseal } from '../master-key.ts';
import { batch, evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { alarm, count } from '../telemetry.ts';
import { errcodeOf, type WechatAnswer, wechatBusy, wechatRefusal, wechatUnavailable } from './api.ts';
import { callWithToken } from './call.ts';
import type { MiniProgram } from './mini-program.ts';

/** WeChat's getPhoneNumber: exchanges the code of the button getPhoneNumber for the number of the user's WeChat. */
export interface PhoneNumber {
  /** E.164: +8613812345678. */
  number: string;
  /** For people to recognise it: 138****5678. */
  masked: string;
}

/**
 * WeChat accepts a code once, and each success costs money. So the number is kept, sealed, as long as the code lives:
 * the same user gets it again for the same code.
 */
const phoneKey = keyFamily<[string, string]>({
  area: 'session',
  name: 'phone-exchange',
  version: 1,
  parts: ['id', 'text'],
  ttlSeconds: 300,
});

/** Counts the numbers that were paid for a person. The hour begins again with each number. */
const COST_SECONDS = 3_600;
const NUMBERS_AN_HOUR = 10;
const costKey = keyFamily<[string, string]>({
  area: 'lock',
  name: 'phone-cost',
  version: 1,
  parts: ['id', 'text'],
  ttlSeconds: COST_SECONDS,
});

const keepScript = new Script(lua`
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('INCR', KEYS[2])
return redis.call('PEXPIRE', KEYS[2], ARGV[3])
`);

function nothingKnown(error: unknown): [] {
  ignoreEngine(error);
  return [];
}

/** Throws LOCKED. If Redis does not answer here, the limits of the address have been checked by admission. */
async function checkCost(costs: Key): Promise<void> {
  const [paid, leftMs] = await batch([
    ['get', costs],
    ['pttl', costs],
  ]).catch(nothingKnown);
  if (Number(paid ?? 0) < NUMBERS_AN_HOUR) return;
  throw new AppError('LOCKED', undefined, { retryAfterSeconds: Math.max(1, Math.ceil(Number(leftMs) / 1000)) });
}

/** For admission: the number that is kept for this code, if there is one. */
export const phoneExchangeRead = (appId: string, phoneCode: string): CacheRead => ({
  key: phoneKey(appId, phoneCode),
  kind: 'plain',
});

interface PhoneCall {
  appId: string;
  program: MiniProgram;
  /** The id of the user; at a login the openid. Nobody else gets the kept number. */
  who: string;
  /** What admission has read. */
  kept: ReadAnswer | undefined;
}

/**
 * Never logs the number. Throws BAD_CREDENTIALS: the code is invalid, used, or of another mini-program; WECHAT_BUSY,
 * UNAVAILABLE.
 */
export async function exchangePhoneCode(
  { appId, program, who, kept }: PhoneCall,
  phoneCode: string,
): Promise<PhoneNumber> {
  const key = phoneKey(appId, phoneCode);
  const context = `phone-exchange:${key}:${program.wechatAppid}:${who}`;
  const known = kept?.stored.split(';')[1];
  if (known) return open(known, context);
  const costs = costKey(program.wechatAppid, who);
  await checkCost(costs);
  const answer = await callWithToken(program, '/wxa/business/getuserphonenumber', { code: phoneCode });
  if (!answer) throw wechatUnavailable();
  const errcode = errcodeOf(answer);
  if (errcode === 40029) return sameCallAtOnce(key, context);
  if (errcode !== 0) throw refusal(errcode);
  count('wechat.phone-exchanged');
  const phone = phoneOf(answer, program.wechatAppid);
  // At once, because the code is used up even if something fails later.
  const args = [seal(JSON.stringify(phone), context), phoneKey.family.ttlSeconds * 1000, COST_SECONDS * 1000];
  await evaluate(keepScript, [key, costs], args).catch(ignoreEngine);
  return phone;
}

/** The code is used up, perhaps by the same call that was sent twice: then the other one has kept the number. */
async function sameCallAtOnce(key: Key, context: string): Promise<PhoneNumber> {
  const [kept] = (await batch([['get', key]]).catch(ignoreEngine)) ?? [];
  if (typeof kept !== 'string') throw new AppError('BAD_CREDENTIALS');
  return open(kept, context);
}

/** Throws BAD_CREDENTIALS if the number is not kept for this user: the code is used up. */
function open(sealed: string, context: string): PhoneNumber {
  try {
    return JSON.parse(unseal(sealed, context)) as PhoneNumber;
  } catch (error) {
    if (error instanceof SealError) throw new AppError('BAD_CREDENTIALS');
    throw error;
  }
}

function refusal(errcode: number): AppError {
  switch (errcode) {
    case 40013: // the code is of another mini-program
      return new AppError('BAD_CREDENTIALS');
    case 45009: // the quota of the day; callWithToken() has raised the alarm
      return wechatBusy(errcode);
    default:
      return wechatRefusal(errcode);
  }
}

const COUNTRY_CODE = /^[1-9][0-9]{0,2}$/;
const NATIONAL_NUMBER = /^[0-9]{4,14}$/;
const E164_DIGITS = 15;

/** WeChat's page has the country code as a number, WeChat sends a text. */
function phoneOf({ phone_info: info }: WechatAnswer, wechatAppid: string): PhoneNumber {
  const { purePhoneNumber, countryCode, watermark } = (info ?? {}) as Record<string, unknown>;
  if ((watermark as { appid?: unknown } | undefined)?.appid !== wechatAppid) {
    alarm('wechat.phone-watermark');
    throw new AppError('BAD_CREDENTIALS');
  }
  const [country, national] = [String(countryCode), String(purePhoneNumber)];
  const isNumber =
    COUNTRY_CODE.test(country) && NATIONAL_NUMBER.test(national) && country.length + national.length <= E164_DIGITS;
  if (isNumber) return { number: `+${country}${national}`, masked: maskPhone(national) };
  alarm('wechat.phone-format');
  throw wechatUnavailable();
}

/** Shows 7 of 11 digits. Of a number with another length it shows at most half. */
function maskPhone(national: string): string {
  if (national.length === 11) return `${national.slice(0, 3)}****${national.slice(-4)}`;
  return `****${national.slice(national.length >= 8 ? -4 : -2)}`;
}
