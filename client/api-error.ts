import type { ApiAnswer } from './transport.ts';

/** A refusal or a failure: from the server's problem+json (RFC 9457), from API Gateway, or from the network. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** The HTTP status; 0: no answer arrived, and the outcome is unknown. */
  readonly status: number;
  /** Stable and never translated: use it for decisions. */
  readonly code: string;
  /** For people, in the language of the request. */
  readonly detail: string;
  /** Support finds the call with it; null: no answer arrived, or it had no id. */
  readonly requestId: string | null;
  /** null: the answer set no time. */
  readonly retryAfterSeconds: number | null;
  /** The refused members (INVALID_INPUT), otherwise empty. */
  readonly errors: readonly { path: string; message: string }[];
  /** True if the same call can succeed later. */
  readonly retryable: boolean;

  constructor(fields: Partial<Omit<ApiError, 'name'>> & { status: number; code: string; detail: string }) {
    super(`${fields.code}: ${fields.detail}`);
    this.status = fields.status;
    this.code = fields.code;
    this.detail = fields.detail;
    this.requestId = fields.requestId ?? null;
    this.retryAfterSeconds = fields.retryAfterSeconds ?? null;
    this.errors = fields.errors ?? [];
    this.retryable = fields.retryable ?? false;
  }
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
  const problem = objectOf(answer.text);
  const { status } = answer;
  const seconds = answer.header('retry-after');
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return new ApiError({
    status,
    code: text(problem.code) ?? GATEWAY_CODES[status] ?? `HTTP_${status}`,
    detail: text(problem.detail) ?? text(problem.title) ?? text(problem.message) ?? '',
    requestId: text(problem.requestId) ?? answer.header('x-request-id') ?? answer.header('apigw-requestid'),
    retryAfterSeconds: seconds !== null && /^\d{1,9}$/.test(seconds) ? Number(seconds) : null,
    errors: Array.isArray(problem.errors) ? problem.errors : [],
    retryable: typeof problem.retryable === 'boolean' ? problem.retryable : status === 429 || status >= 500,
  });
}

/** The JSON object of a text, or an empty object: the error page of a proxy is not JSON. */
function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}
