import type { ErrorCode } from '../errors.ts';

/**
 * All refusals in one table. A code without a row does not compile. Concepts throw AppError(code) and do not use this
 * table. docs/api.md lists the same codes and status numbers; a test compares both.
 */
export type Language = 'zh' | 'en';

type Texts = readonly [title: string, detail: string];

interface ErrorRow extends Readonly<Record<Language, Texts>> {
  readonly status: number;
  /** Whether the same call, signed again, may succeed later. */
  readonly retryable: boolean;
}

export const ERROR_TABLE: Readonly<Record<ErrorCode, ErrorRow>> = {
  INVALID_INPUT: {
    status: 400,
    retryable: false,
    en: ['Invalid input', 'Some input members are not valid; see errors.'],
    zh: ['输入有误', '部分输入不符合要求，详见 errors。'],
  },
  INVALID_KEY: {
    status: 400,
    retryable: false,
    en: ['Invalid id', 'An id does not have the form of this resource.'],
    zh: ['标识无效', '标识的格式不符合该资源的规则。'],
  },
  MISSING_IDEMPOTENCY_KEY: {
    status: 400,
    retryable: false,
    en: ['Idempotency key missing', 'Send the header idempotency-key: 16 to 64 of A-Z a-z 0-9 _ -.'],
    zh: ['缺少幂等键', '请发送请求头 idempotency-key：16 至 64 个 A-Z a-z 0-9 _ - 字符。'],
  },
  LOGIN_REQUIRED: {
    status: 401,
    retryable: false,
    en: ['Login required', 'Log in first.'],
    zh: ['需要登录', '请先登录。'],
  },
  LOGIN_EXPIRED: {
    status: 401,
    retryable: false,
    en: ['Login expired', 'Login expired, log in again.'],
    zh: ['登录已过期', '登录已过期，请重新登录。'],
  },
  SESSION_REVOKED: {
    status: 401,
    retryable: false,
    en: ['Session ended', 'This session was ended; log in again.'],
    zh: ['会话已结束', '该会话已被注销，请重新登录。'],
  },
  BAD_CREDENTIALS: {
    status: 401,
    retryable: false,
    en: ['Wrong credentials', 'The login information is not correct.'],
    zh: ['凭证错误', '登录信息不正确。'],
  },
  PROOF_REQUIRED: {
    status: 401,
    retryable: false,
    en: ['Proof required', 'This call needs a fresh proof of who you are: a password, a code or a second string.'],
    zh: ['需要重新验证身份', '此调用需要新的身份证明：密码、code 或第二串。'],
  },
  WECHAT_USER_LIMITED: {
    status: 401,
    retryable: false,
    en: ['Limited by WeChat', 'WeChat limits this user at the moment; try again later.'],
    zh: ['被微信限制', '微信目前限制该用户，请稍后再试。'],
  },
  REPLAYED: {
    status: 401,
    retryable: true,
    en: ['Token already used', 'An access_token is valid once; sign the call again.'],
    zh: ['令牌已被使用', 'access_token 仅一次有效，请重新签名。'],
  },
  BODY_HASH_MISMATCH: {
    status: 401,
    retryable: false,
    en: ['Body hash mismatch', 'The body differs from the signed one.'],
    zh: ['请求体摘要不符', '请求体与签名时的内容不一致。'],
  },
  BAD_NOTIFY_SIGNATURE: {
    status: 401,
    retryable: false,
    en: ['Bad notification signature', "The notification's signature is not valid."],
    zh: ['通知签名错误', '该通知的签名无法通过验证。'],
  },
  LOGIN_INFO_MISMATCH: {
    status: 401,
    retryable: false,
    en: ['Login information differs', 'The login information differs from what was issued.'],
    zh: ['登录信息不符', '登录信息与签发的不一致。'],
  },
  SCOPE_DENIED: {
    status: 403,
    retryable: false,
    en: ['Not permitted', 'This app has no permission for this call.'],
    zh: ['权限不足', '该应用没有此调用的权限。'],
  },
  SIGNATURE_TOO_WEAK: {
    status: 403,
    retryable: false,
    en: ['Signature too weak', 'This call must be signed with HMAC-SHA256.'],
    zh: ['签名强度不足', '此调用必须使用 HMAC-SHA256 签名。'],
  },
  WECHAT_USER_BLOCKED: {
    status: 403,
    retryable: false,
    en: ['Blocked by WeChat', 'WeChat blocks this user as a risk.'],
    zh: ['被微信拦截', '微信判定该用户有风险，已拦截。'],
  },
  NOT_FOUND: {
    status: 404,
    retryable: false,
    en: ['Not found', 'There is nothing with this id.'],
    zh: ['未找到', '没有与该标识对应的内容。'],
  },
  UNKNOWN_PLUGIN: {
    status: 404,
    retryable: false,
    en: ['Unknown plugin', 'This app has no such plugin.'],
    zh: ['未知插件', '该应用没有此插件。'],
  },
  UNKNOWN_RESOURCE: {
    status: 404,
    retryable: false,
    en: ['Unknown resource', 'There is no such resource.'],
    zh: ['未知资源', '没有此类资源。'],
  },
  ACCOUNT_EXISTS: {
    status: 409,
    retryable: false,
    en: ['Account exists', 'This account name is taken.'],
    zh: ['账号已存在', '该账号名已被使用。'],
  },
  IDENTITY_TAKEN: {
    status: 409,
    retryable: false,
    en: ['Belongs to another account', 'This WeChat user or phone number belongs to another account.'],
    zh: ['已属于其他账号', '该微信用户或手机号已属于其他账号。'],
  },
  LAST_IDENTITY: {
    status: 409,
    retryable: false,
    en: ['Last way to log in', 'Nothing else could log in to this account; link something else first.'],
    zh: ['最后一种登录方式', '移除后将无法再登录该账号，请先关联其他登录方式。'],
  },
  WALLET_NOT_EMPTY: {
    status: 409,
    retryable: false,
    en: ['Wallet not empty', 'The account has units, open orders or refunds in progress; see errors.'],
    zh: ['钱包未清空', '该账号仍有余额、未完成的订单或退款，详见 errors。'],
  },
  INSUFFICIENT_BALANCE: {
    status: 409,
    retryable: false,
    en: ['Insufficient balance', 'The balance is too low for this call.'],
    zh: ['余额不足', '余额不足以完成此操作。'],
  },
  HOLD_ENDED: {
    status: 409,
    retryable: false,
    en: ['Hold ended', 'This hold has ended in another way, or its time is over.'],
    zh: ['冻结已结束', '该冻结已用其他方式结束，或已到期。'],
  },
  QUOTA_REACHED: {
    status: 409,
    retryable: false,
    en: ['Quota reached', 'This user has as many records of this kind as allowed; delete one first.'],
    zh: ['数量已达上限', '该用户的此类记录已达上限，请先删除一条。'],
  },
  NOTICE_MISMATCH: {
    status: 409,
    retryable: false,
    en: ['Notification does not match', 'The notification does not match the order.'],
    zh: ['通知与订单不符', '该通知与订单内容不一致。'],
  },
  VERSION_MISMATCH: {
    status: 412,
    retryable: false,
    en: ['Changed meanwhile', 'The record has another version now; read it again.'],
    zh: ['记录已被修改', '该记录已有新的版本，请重新读取。'],
  },
  TOO_LARGE: {
    status: 413,
    retryable: false,
    en: ['Too large', 'A body may have 64 KiB at most.'],
    zh: ['内容过大', '请求体最多 64 KiB。'],
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retryable: false,
    en: ['Idempotency key reused', 'This key was used with another body.'],
    zh: ['幂等键重复使用', '该幂等键已用于不同的请求体。'],
  },
  MISSING_VERSION: {
    status: 428,
    retryable: false,
    en: ['Version missing', 'Send the header if-match: the version that you read, in double quotes.'],
    zh: ['缺少版本', '请发送请求头 if-match：读取到的版本号，加双引号。'],
  },
  LOCKED: {
    status: 429,
    retryable: true,
    en: ['Locked', 'Too many calls; try again after Retry-After.'],
    zh: ['已被锁定', '调用过于频繁，请在 Retry-After 之后重试。'],
  },
  UNAVAILABLE: {
    status: 503,
    retryable: true,
    en: ['Temporarily unavailable', 'Try again after Retry-After.'],
    zh: ['暂时不可用', '请在 Retry-After 之后重试。'],
  },
  PLUGIN_SERVER_UNAVAILABLE: {
    status: 503,
    retryable: true,
    en: ['Plugin server unavailable', 'The plugin server did not accept the token; try again.'],
    zh: ['插件服务器不可用', '插件服务器未能接收令牌，请重试。'],
  },
  WECHAT_BUSY: {
    status: 503,
    retryable: true,
    en: ['WeChat is busy', 'WeChat does not answer at the moment; try again after Retry-After.'],
    zh: ['微信繁忙', '微信暂时没有处理，请在 Retry-After 之后重试。'],
  },
  INTERNAL: {
    status: 500,
    retryable: false,
    en: ['Internal error', 'An error happened in the server.'],
    zh: ['内部错误', '服务器内部出错。'],
  },
};
