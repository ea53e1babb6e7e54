import { type KeyObject, randomBytes } from 'node:crypto';
import { member, readJson } from '../../foreign-input.ts';
import { refusalCode, WechatPayOutcomeUnknown, WechatPayRefused } from './error.ts';
import type { WechatPayConfig } from './input.ts';
import { authorization, type HttpHeaders, oneHeader, type PlatformKeys, signatureFault } from './signature.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** null: without a body. */
  readonly body: string | null;
}

/** Sends one request with its own deadline and follows no redirect. If it throws, the outcome is unknown. */
export type Http = (
  request: HttpRequest,
) => Promise<{ readonly status: number; readonly headers: HttpHeaders; readonly body: Buffer }>;

/** Calls to WeChat Pay: requests are signed, and answers are accepted only with a valid signature. */
interface Exchange {
  /** The verified answer. null: 204. Throws WechatPayRefused, WechatPayOutcomeUnknown. */
  call(method: 'GET' | 'POST', target: string, content?: object): Promise<object | null>;
  /** The answer without verification. Throws WechatPayOutcomeUnknown. */
  exchange(method: 'GET' | 'POST', target: string, content?: object): ReturnType<Http>;
}

export function openExchange(
  { config, merchantKey, keys }: { config: WechatPayConfig; merchantKey: KeyObject; keys: PlatformKeys },
  http: Http,
  nowSeconds: () => number,
): Exchange {
  const { mchId, merchantSerial, baseUrl } = config;
  const publicKeyId = [...keys.keys()].find((id) => id.startsWith('PUB_KEY_ID_'));

  async function call(method: 'GET' | 'POST', target: string, content?: object): Promise<object | null> {
    return verify(await exchange(method, target, content));
  }

  async function exchange(method: 'GET' | 'POST', target: string, content?: object): ReturnType<Http> {
    const body = content === undefined ? '' : JSON.stringify(content);
    const signed = { mchId, serial: merchantSerial, method, target, body, timestamp: nowSeconds(), nonce: newNonce() };
    const headers = {
      accept: 'application/json',
      'user-agent': 'miniapp-cloud',
      authorization: authorization(signed, merchantKey),
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      // Requests a signature by the public key; without this header WeChat may still sign with a certificate.
      ...(publicKeyId === undefined ? {} : { 'wechatpay-serial': publicKeyId }),
    };
    const request = { method, url: baseUrl + target, headers, body: content === undefined ? null : body };
    try {
      return await http(request);
    } catch {
      throw new WechatPayOutcomeUnknown('NETWORK');
    }
  }

  function verify(answer: Awaited<ReturnType<Http>>): object | null {
    const { status, headers, body } = answer;
    if (status >= 500) throw new WechatPayOutcomeUnknown('SYSTEM_ERROR');
    const signed = oneHeader(headers, 'wechatpay-signature') !== null;
    const fault = signatureFault(headers, body, keys, nowSeconds());
    if (fault !== null && (signed || status < 400)) throw new WechatPayOutcomeUnknown('BAD_SIGNATURE');
    const json = readJson(body);
    if (status === 204) return null;
    // 202 also carries a code: the payer is paying at this moment.
    if (status >= 400 || status === 202) {
      const code = refusalCode(member(json, 'code'));
      throw new WechatPayRefused(code === 'OTHER' && status === 429 ? 'RATELIMIT' : code, status, signed);
    }
    if (status !== 200 || json === null) throw new WechatPayOutcomeUnknown('BAD_ANSWER');
    return json;
  }

  return { call, exchange };
}

function newNonce(): string {
  return randomBytes(16).toString('hex');
}
