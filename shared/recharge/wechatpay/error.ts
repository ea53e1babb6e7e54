/**
 * The errors of WeChat Pay. They are separate classes because each needs another reaction: correct the call, accept the
 * refusal, ask again later, or drop a forged notification. No message contains text from outside.
 */

/** Refusals that callers distinguish. WeChat has several spellings of some; all other codes become `OTHER`. */
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

export type RefusalCode = keyof typeof spellings | 'OTHER';

const refusalBySpelling = new Map<string, RefusalCode>(
  Object.entries(spellings).flatMap(([code, forms]) => forms.map((form) => [form, code as RefusalCode] as const)),
);

export function refusalCode(spelling: unknown): RefusalCode {
  return (typeof spelling === 'string' && refusalBySpelling.get(spelling)) || 'OTHER';
}

/** The call or the configuration is wrong, and nothing was sent. `path` names the member, never its value. */
export class WechatPayInputError extends Error {
  override readonly name = 'WechatPayInputError';
  readonly code = 'INVALID_INPUT';
  constructor(readonly path: string) {
    super(`wechat pay: ${path} is not acceptable`);
  }
}

/**
 * WeChat refused the call, and it had no effect. `signed` is false for an answer without a signature, which WeChat
 * sends if it does not recognise the merchant. Such an answer does not prove that an order was not paid.
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
 * It is unknown whether the call took effect. Repeat it with the same numbers, or query; never treat it as a refusal.
 * `BAD_ANSWER` and `BAD_SIGNATURE` are answers that cannot be trusted.
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

/**
 * Answer 4xx and change nothing. Without `authentic` the notification proves nothing, and WeChat sends a genuine one
 * again. With it WeChat signed the notification, and this merchant cannot use it.
 */
export class WechatPayNotificationRefused extends Error {
  override readonly name = 'WechatPayNotificationRefused';
  constructor(
    readonly reason: NotificationRefusal,
    readonly authentic: boolean,
  ) {
    super(`wechat pay notification refused: ${reason}`);
  }
}

export function demand(holds: boolean, path: string): asserts holds {
  if (!holds) throw new WechatPayInputError(path);
}
