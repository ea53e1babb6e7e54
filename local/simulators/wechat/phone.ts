import { randomBytes, randomInt } from 'node:crypto';
import type { AccessTokens } from './access-tokens.ts';
import { bodyOf, type WechatInterface, WechatRefusal } from './answers.ts';
import type { Programs } from './programs.ts';
import { createSingleCodes } from './single-codes.ts';

/**
 * getPhoneNumber: the code of the button works once, within 5 minutes. Arguments, answer, errcodes and the example:
 * https://developers.weixin.qq.com/miniprogram/dev/server/API/user-info/phone-number/api_getphonenumber (read on
 * 2026-11-28). The example has the country code as a number, but WeChat sends a text:
 * https://developers.weixin.qq.com/community/develop/doc/000082c324c2486d05152fe4260000 (read on 2026-11-28).
 */
export interface PhoneOwner {
  /** Default: the first mini-program. */
  appid?: string;
  /** Digits without the country code. Default: any Chinese number. */
  number?: string;
  /** Default: 86. */
  countryCode?: string;
  /** Default: `appid`. */
  watermarkAppid?: string;
}

interface Phones {
  issueCode(owner: PhoneOwner): string;
  getPhoneNumber: WechatInterface;
}

type Phone = Required<Omit<PhoneOwner, 'appid'>>;

export function createPhones(
  programs: Programs,
  tokens: Pick<AccessTokens, 'appidOf'>,
  { now, devCodes }: { now: () => number; devCodes: boolean },
): Phones {
  const codes = createSingleCodes<Phone>(now, 40029, (appid, code) => {
    const number = devCodes ? /^dev-phone-(\d{11})-\d{1,9}$/.exec(code)?.[1] : undefined;
    return number === undefined ? undefined : { number, countryCode: '86', watermarkAppid: appid };
  });
  return {
    issueCode({ appid = programs.first, watermarkAppid = appid, countryCode = '86', ...owner }) {
      const number = owner.number ?? `138${String(randomInt(10 ** 8)).padStart(8, '0')}`;
      return codes.issue(appid, randomBytes(32).toString('hex'), { number, countryCode, watermarkAppid });
    },
    getPhoneNumber({ query, body }) {
      const appid = tokens.appidOf(query);
      const { code } = bodyOf(body);
      if (typeof code !== 'string') throw new WechatRefusal(47001);
      const { number, countryCode, watermarkAppid } = codes.exchange(appid, code);
      const watermark = { timestamp: Math.floor(now() / 1000), appid: watermarkAppid };
      // "Numbers outside of China have the country code."
      const phoneNumber = countryCode === '86' ? number : `${countryCode}${number}`;
      return { errcode: 0, errmsg: 'ok', phone_info: { phoneNumber, purePhoneNumber: number, countryCode, watermark } };
    },
  };
}
