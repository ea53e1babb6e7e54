import { AppError, EngineError, type ErrorCode, isContention, TokenRefused } from '../errors.ts';
import { PlainText } from './answer.ts';

/** Answers (RFC 9457 problem+json). Status numbers stand in this folder and nowhere else. */
export interface HttpAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

type Language = 'zh' | 'en';

/** The first of zh or en that the caller names; English otherwise. */
export function preferredLanguage(acceptLanguage: string | undefined): Language {
  const named = /\b(zh|en)\b/i.exec(acceptLanguage ?? '')?.[1];
  return named?.toLowerCase() === 'zh' ? 'zh' : 'en';
}

/** Exhaustive: a new code does not compile until it has a status and its sentences. */
function describe(code: ErrorCode): { status: number; en: [title: string, detail: string]; zh: [string, string] } {
  switch (code) {
    case 'INVALID_INPUT':
      return {
        status: 400,
        en: ['Invalid input', 'Some of the input is not as it should be; see errors.'],
        zh: ['输入有误', '部分输入不符合要求，详见 errors。'],
      };
    case 'INVALID_KEY':
      return {
        status: 400,
        en: ['Invalid id', 'An id is not of the form this resource has.'],
        zh: ['标识无效', '标识的格式不符合该资源的规则。'],
      };
    case 'MISSING_IDEMPOTENCY_KEY':
      return {
        status: 400,
        en: ['Idempotency key missing', 'Send the header idempotency-key: 16 to 64 of A-Z a-z 0-9 _ -.'],
        zh: ['缺少幂等键', '请发送请求头 idempotency-key：16 至 64 个 A-Z a-z 0-9 _ - 字符。'],
      };
    case 'LOGIN_REQUIRED':
      return {
        status: 401,
        en: ['Login required', 'Log in and send the session token.'],
        zh: ['需要登录', '请先登录并携带会话令牌。'],
      };
    case 'LOGIN_EXPIRED':
      return {
        status: 401,
        en: ['Login expired', 'Login expired, log in again.'],
        zh: ['登录已过期', '登录已过期，请重新登录。'],
      };
    case 'SESSION_REVOKED':
      return {
        status: 401,
        en: ['Session ended', 'This session was ended; log in again.'],
        zh: ['会话已结束', '该会话已被注销，请重新登录。'],
      };
    case 'BAD_CREDENTIALS':
      return {
        status: 401,
        en: ['Wrong credentials', 'What was given to log in is not right.'],
        zh: ['凭证错误', '登录信息不正确。'],
      };
    case 'REPLAYED':
      return {
        status: 401,
        en: ['Token already used', 'An access_token is good once; sign the call anew.'],
        zh: ['令牌已被使用', 'access_token 仅一次有效，请重新签名。'],
      };
    case 'BODY_HASH_MISMATCH':
      return {
        status: 401,
        en: ['Body hash mismatch', 'The body is not the one that was signed.'],
        zh: ['请求体摘要不符', '请求体与签名时的内容不一致。'],
      };
    case 'BAD_NOTIFY_SIGNATURE':
      return {
        status: 401,
        en: ['Bad notice signature', 'The notice is not signed as its provider signs.'],
        zh: ['通知签名错误', '该通知的签名无法通过验证。'],
      };
    case 'LOGIN_INFO_MISMATCH':
      return {
        status: 401,
        en: ['Login information differs', 'The login information is not what was issued.'],
        zh: ['登录信息不符', '登录信息与签发的不一致。'],
      };
    case 'SCOPE_DENIED':
      return {
        status: 403,
        en: ['Not permitted', 'This app has no permission for this call.'],
        zh: ['权限不足', '该应用没有此调用的权限。'],
      };
    case 'SIGNATURE_TOO_WEAK':
      return {
        status: 403,
        en: ['Signature too weak', 'This call must be signed with HMAC-SHA256.'],
        zh: ['签名强度不足', '此调用必须使用 HMAC-SHA256 签名。'],
      };
    case 'NOT_FOUND':
      return {
        status: 404,
        en: ['Not found', 'There is nothing by this id.'],
        zh: ['未找到', '没有与该标识对应的内容。'],
      };
    case 'UNKNOWN_PLUGIN':
      return {
        status: 404,
        en: ['Unknown plugin', 'There is no such plugin for this app.'],
        zh: ['未知插件', '该应用没有此插件。'],
      };
    case 'UNKNOWN_RESOURCE':
      return {
        status: 404,
        en: ['Unknown resource', 'There is no such resource.'],
        zh: ['未知资源', '没有此类资源。'],
      };
    case 'ACCOUNT_EXISTS':
      return {
        status: 409,
        en: ['Account exists', 'This account name is taken.'],
        zh: ['账号已存在', '该账号名已被使用。'],
      };
    case 'INSUFFICIENT_BALANCE':
      return {
        status: 409,
        en: ['Insufficient balance', 'The balance does not cover this.'],
        zh: ['余额不足', '余额不足以完成此操作。'],
      };
    case 'NOTICE_MISMATCH':
      return {
        status: 409,
        en: ['Notice does not match', 'The notice does not match the order.'],
        zh: ['通知与订单不符', '该通知与订单内容不一致。'],
      };
    case 'TOO_LARGE':
      return {
        status: 413,
        en: ['Too large', 'A body may hold 64 KiB at most.'],
        zh: ['内容过大', '请求体最多 64 KiB。'],
      };
    case 'IDEMPOTENCY_KEY_REUSED':
      return {
        status: 422,
        en: ['Idempotency key reused', 'This key was used with another body.'],
        zh: ['幂等键重复使用', '该幂等键已用于不同的请求体。'],
      };
    case 'LOCKED':
      return {
        status: 429,
        en: ['Locked', 'Too many calls; try again after Retry-After.'],
        zh: ['已被锁定', '调用过于频繁，请在 Retry-After 之后重试。'],
      };
    case 'UNAVAILABLE':
      return {
        status: 503,
        en: ['Temporarily unavailable', 'Try again after Retry-After.'],
        zh: ['暂时不可用', '请在 Retry-After 之后重试。'],
      };
    case 'PLUGIN_SERVER_UNAVAILABLE':
      return {
        status: 503,
        en: ['Plugin server unavailable', 'The plugin server did not take the token; try again.'],
        zh: ['插件服务器不可用', '插件服务器未能接收令牌，请重试。'],
      };
    case 'INTERNAL':
      return {
        status: 500,
        en: ['Internal error', 'Something went wrong on our side.'],
        zh: ['内部错误', '服务器内部出错。'],
      };
  }
}

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['REPLAYED', 'LOCKED', 'UNAVAILABLE', 'PLUGIN_SERVER_UNAVAILABLE']);

const baseHeaders = (requestId: string): Record<string, string> => ({
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'x-request-id': requestId,
});

interface Problem {
  answer: HttpAnswer;
  code: ErrorCode;
  /** Not an error we know: to be logged. */
  unknown?: unknown;
}

export function problemFor(error: unknown, requestId: string, language: Language): Problem {
  if (error instanceof TokenRefused) return { answer: forbidden(requestId), code: 'SCOPE_DENIED' };
  const known =
    error instanceof AppError
      ? error
      : error instanceof EngineError || isContention(error)
        ? new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 })
        : undefined;
  const refusal = known?.refusal ?? {};
  const code = known?.code ?? 'INTERNAL';
  const { status, [language]: texts } = describe(code);
  const retryAfter = refusal.retryAfterSeconds ?? (status === 503 ? 2 : undefined);
  return {
    code,
    ...(known === undefined && { unknown: error }),
    answer: {
      statusCode: status,
      headers: {
        ...baseHeaders(requestId),
        'content-type': 'application/problem+json; charset=utf-8',
        'content-language': language,
        ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
        ...refusal.headers,
      },
      body: JSON.stringify({
        type: `urn:miniapp-cloud:problem:${code}`,
        title: texts[0],
        status,
        code,
        detail: (language === 'en' && known?.detail) || texts[1],
        requestId,
        retryable: RETRYABLE.has(code),
        ...(refusal.errors && { errors: refusal.errors }),
      }),
    },
  };
}

/** As API Gateway itself refuses: the body is not ours to choose. */
const forbidden = (requestId: string): HttpAnswer => ({
  statusCode: 403,
  headers: { ...baseHeaders(requestId), 'content-type': 'application/json' },
  body: '{"message":"Forbidden"}',
});

export type Success = 'ok' | 'created' | 'no-content';

export function successAnswer(
  success: Success,
  body: unknown,
  headers: Record<string, string>,
  requestId: string,
): HttpAnswer {
  const statusCode = success === 'ok' ? 200 : success === 'created' ? 201 : 204;
  const all = { ...baseHeaders(requestId), ...headers };
  if (body instanceof PlainText) {
    return { statusCode, headers: { ...all, 'content-type': 'text/plain; charset=utf-8' }, body: body.text };
  }
  if (success !== 'no-content') return { statusCode, headers: all, body: JSON.stringify(body) };
  const { 'content-type': _, ...bare } = all;
  return { statusCode, headers: bare, body: '' };
}
