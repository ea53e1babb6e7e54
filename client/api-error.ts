import type { ApiAnswer } from './api-answer.ts';

/** A refusal or a failure: from the server's problem+json (RFC 9457), from API Gateway, or from the network. */
export class ApiError extends Error {
  /** The HTTP status; 0: no answer arrived, and the outcome is unknown. */
  declare readonly status: number;
  /** Stable and never translated: use it for decisions. */
  declare readonly code: string;
  /** For people, in the language of the request. */
  declare readonly detail: string;
  /** Support finds the call with it; null: no answer arrived, or it had no id. */
  declare readonly requestId: string | null;
  /** null: the answer set no time. */
  declare readonly retryAfterSeconds: number | null;
  /** The refused members (INVALID_INPUT), otherwise empty. */
  declare readonly errors: readonly { path: string; message: string }[];
  /** True if the same call can succeed later. */
  declare readonly retryable: boolean;

  constructor(fields: Partial<Omit<ApiError, 'name'>> & { status: number; code: string; detail: string }) {
    super(`${fields.code}: ${fields.detail}`);
    const none = { requestId: null, retryAfterSeconds: null, errors: [], retryable: false };
    Object.assign(this, { name: 'ApiError' }, none, fields);
  }
}

/** A failure that the client finds itself. */
export function localError(code: string, detail: string, status = 0, retryable = status === 0): ApiError {
  return new ApiError({ status, code, detail, retryable });
}

export const userChanged = (): ApiError => localError('USER_CHANGED', 'another user logged in', 401);

/** Whether a failure means that the user must log in. */
export function asksForLogin({ status, code }: ApiError): boolean {
  return status === 401 && /^(LOGIN_EXPIRED|LOGIN_REQUIRED|SESSION_REVOKED)$/.test(code);
}

/** The server refused the call, so nothing ran. After any other failure the outcome is unknown. */
export function isRefusal(failure: unknown): boolean {
  return failure instanceof ApiError && failure.status >= 400 && failure.status < 500;
}

/** For a function of the platform that failed, such as the storage or wx.login. */
export function throwPlatform(failure: unknown): never {
  throw failure instanceof ApiError ? failure : localError('PLATFORM', reasonOf(failure));
}

/** wx fails with `errMsg`, everything else with an Error. */
export function reasonOf(failure: unknown): string {
  const { errMsg, message } = Object(failure);
  return String(errMsg || message || 'failed');
}

/** Codes for answers without problem+json, which API Gateway itself makes (docs/signing.md). */
const GATEWAY_CODES: Record<number, string> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'UNKNOWN_ROUTE',
  413: 'TOO_LARGE',
  429: 'TOO_MANY_REQUESTS',
};

export function apiErrorOf(answer: ApiAnswer): ApiError {
  const problem = membersOf(answer);
  const { status } = answer;
  const header = (name: string): string | null => answer.header(name);
  const seconds = header('retry-after') || '';
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return new ApiError({
    status,
    code: text(problem.code) || GATEWAY_CODES[status] || `HTTP_${status}`,
    detail: text(problem.detail) || text(problem.title) || text(problem.message),
    requestId: text(problem.requestId) || header('x-request-id') || header('apigw-requestid'),
    retryAfterSeconds: /^\d{1,9}$/.test(seconds) ? Number(seconds) : null,
    errors: Array.isArray(problem.errors) ? problem.errors : [],
    retryable: typeof problem.retryable === 'boolean' ? problem.retryable : status === 429 || status >= 500,
  });
}

/** The members of an answer, or none: the error page of a proxy is not JSON. */
function membersOf(answer: ApiAnswer): Record<string, unknown> {
  try {
    return Object(parsed(answer));
  } catch {
    return {};
  }
}

/** The JSON of a success. */
export function parsed(answer: ApiAnswer): unknown {
  try {
    return JSON.parse(answer.text);
  } catch {
    throw badAnswer(answer);
  }
}

/** A success that is not from the API, such as the login page of a public network. The outcome is unknown. */
export function badAnswer(answer: ApiAnswer): ApiError {
  return localError('BAD_ANSWER', 'not an answer of the API', answer.status, true);
}
