/**
 * What can go wrong with WeChat Pay, as classes, because each asks for another reaction: correct the call, accept the
 * refusal, ask again later, or drop a forged notification. No message carries text that came from outside.
 */

/** Refusals a caller may switch on. WeChat's several spellings are folded into these; anything else is `OTHER`. */
const spellings = {
  ORDER_NOT_EXIST: ['ORDER_NOT_EXIST', 'ORDERNOTEXIST'],
  RESOURCE_NOT_EXISTS: ['RESOURCE_NOT_EXISTS'],
  NO_STATEMENT_EXIST: ['NO_STATEMENT_EXIST', 'NO_BILL_EXIST'],
  ORDERPAID: ['ORDERPAID', 'ORDER_PAID'],
  ORDER_CLOSED: ['ORDER_CLOSED', 'ORDERCLOSED'],
  OUT_TRADE_NO_USED: ['OUT_TRADE_NO_USED'],
  USERPAYING: ['USERPAYING', 'USER_PAYING'],
  NOT_ENOUGH: ['NOT_ENOUGH', 'NOTENOUGH'],
  RATELIMIT: ['RATELIMIT', 'RATELIMIT_EXCEEDED', 'RATE_LIMIT_EXCEEDED', 'FREQUENCY_LIMITED', 'FREQUENCY_LIMIT_EXCEED'],
  INVALID_REQUEST: ['INVALID_REQUEST'],
  PARAM_ERROR: ['PARAM_ERROR'],
  SIGN_ERROR: ['SIGN_ERROR'],
  NO_AUTH: ['NO_AUTH', 'NOAUTH'],
  MCH_NOT_EXISTS: ['MCH_NOT_EXISTS'],
  APPID_MCHID_NOT_MATCH: ['APPID_MCHID_NOT_MATCH'],
  TRADE_ERROR: ['TRADE_ERROR'],
  RULE_LIMIT: ['RULE_LIMIT', 'RULELIMIT'],
  USER_ACCOUNT_ABNORMAL: ['USER_ACCOUNT_ABNORMAL', 'ACCOUNT_ERROR', 'ACCOUNTERROR'],
} as const;

type RefusalCode = keyof typeof spellings | 'OTHER';

const refusalBySpelling = new Map<string, RefusalCode>(
  Object.entries(spellings).flatMap(([code, forms]) => forms.map((form) => [form, code as RefusalCode] as const)),
);

export function refusalCode(spelling: unknown): RefusalCode {
  return (typeof spelling === 'string' && refusalBySpelling.get(spelling)) || 'OTHER';
}

/** The call or the configuration is wrong; nothing was sent. `path` names the member, never its value. */
export class WechatPayInputError extends Error {
  override readonly name = 'WechatPayInputError';
  readonly code = 'INVALID_INPUT';
  constructor(readonly path: string) {
    super(`wechat pay: ${path} is not acceptable`);
  }
}

/**
 * WeChat answered no: the call had no effect. `signed` is false for an answer without a signature (WeChat leaves it
 * out when it cannot tell who asks): enough to stop, not enough to conclude that an order was never paid.
 */
export class WechatPayRefused extends Error {
  override readonly name = 'WechatPayRefused';
  readonly retryable: boolean;
  constructor(
    readonly code: RefusalCode,
    readonly status: number,
    readonly signed: boolean,
  ) {
    super(`wechat pay refused: ${code}`);
    this.retryable = code === 'RATELIMIT' || code === 'USERPAYING';
  }
}

/**
 * Nobody knows whether the call took effect. Send it again with the same numbers, or query: never take it as a no.
 * `BAD_ANSWER` and `BAD_SIGNATURE` are answers that cannot be believed.
 */
export class WechatPayOutcomeUnknown extends Error {
  override readonly name = 'WechatPayOutcomeUnknown';
  readonly retryable = true;
  constructor(readonly code: 'NETWORK' | 'SYSTEM_ERROR' | 'BAD_ANSWER' | 'BAD_SIGNATURE') {
    super(`wechat pay: outcome unknown (${code})`);
  }
}

export type NotificationRefusal =
  | 'MALFORMED'
  | 'STALE'
  | 'UNKNOWN_SERIAL'
  | 'BAD_SIGNATURE'
  | 'UNDECRYPTABLE'
  | 'WRONG_MERCHANT';

/** A notification that proves nothing: answer 4xx and change nothing. A genuine one comes again. */
export class WechatPayNotificationRefused extends Error {
  override readonly name = 'WechatPayNotificationRefused';
  constructor(readonly reason: NotificationRefusal) {
    super(`wechat pay notification refused: ${reason}`);
  }
}

export function demand(holds: boolean, path: string): asserts holds {
  if (!holds) throw new WechatPayInputError(path);
}
