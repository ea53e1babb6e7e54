import { randomBytes } from 'node:crypto';
import type { SimulatedAnswer, SimulatedRequest } from '../loopback-server.ts';

/**
 * The errcodes that the simulator gives, with the texts of WeChat:
 * https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html and the table on the page of
 * each interface (read on 2026-11-28).
 */
const ERRMSG: Record<number, string> = {
  [-1]: 'system error',
  40001: 'invalid credential, access_token is invalid or not latest',
  40002: 'invalid grant_type',
  40013: 'invalid appid',
  40014: 'invalid access_token',
  40029: 'invalid code',
  40097: 'invalid args',
  40125: 'invalid appsecret',
  40163: 'code been used',
  40226: 'code blocked',
  41001: 'access_token missing',
  41002: 'appid missing',
  41004: 'appsecret missing',
  41008: 'missing code',
  42001: 'access_token expired',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit, must slower, retry next minute',
  47001: 'data format error',
  50002: 'user limited',
  10060001: '支付单不存在',
  10060002: '支付单已完成发货，无法继续发货',
  10060003: '支付单已使用重新发货机会',
  10060004: '支付单处于不可发货的状态',
  268485224: '发货列表不合法',
  268490001: 'openid错误',
  268490002: '请求参数字段错误',
  268490003: '签名错误',
  268490004: '重复操作',
  268490005: '订单已经通过cancel_currency_pay接口退款，不支持再退款',
  268490013: '禁止对核销状态的单进行退款',
  268490014: '退款操作进行中，稍后可以使用相同参数重试',
  268490015: '频率限制',
  268490016: '退款的left_fee字段与实际不符，请通过query_order接口查询确认',
};

/** What an interface of WeChat throws to answer with an errcode. */
export class WechatRefusal extends Error {
  override readonly name = 'WechatRefusal';
  constructor(
    readonly errcode: number,
    errmsg = ERRMSG[errcode] ?? 'unknown error',
  ) {
    super(errmsg);
  }
}

/** An interface of WeChat: the value that it answers. Throws WechatRefusal. */
export type WechatInterface = (request: Pick<SimulatedRequest, 'query' | 'body'>) => object;

/** The answer, or the refusal. As at WeChat, refusals have HTTP status 200. */
export function answerOf(work: () => object): SimulatedAnswer {
  try {
    return wechatAnswer(work());
  } catch (error) {
    if (!(error instanceof WechatRefusal)) throw error;
    const rid = [4, 4, 4].map((bytes) => randomBytes(bytes).toString('hex')).join('-');
    return wechatAnswer({ errcode: error.errcode, errmsg: `${error.message}, rid: ${rid}` });
  }
}

/** Always status 200 and content type text: a caller must read errcode, and must not use the content type. */
function wechatAnswer(body: object): SimulatedAnswer {
  return { status: 200, body, headers: { 'content-type': 'text/plain' } };
}

/** The JSON object that a caller sent. Throws WechatRefusal 47001 for anything else. */
export function bodyOf(body: Buffer): Record<string, unknown> {
  const value = readObject(body);
  if (value === undefined) throw new WechatRefusal(47001);
  return value;
}

/** undefined: it is no JSON object. */
export function readObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
