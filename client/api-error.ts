import type { ApiAnswer } from './transport.ts';

/** A refusal or a failure, as the server's problem+json told it (RFC 9457), or as the gateway or the network left it. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** The HTTP status; 0 when no answer came, so that the outcome is unknown. */
  readonly status: number;
  /** Stable and never translated: decide by this one. */
  readonly code: string;
  /** For people, in the language that was asked for. */
  readonly detail: string;
  /** What support needs to find the call; null when no answer came or it carried none. */
  readonly requestId: string | null;
  /** null when the answer set no time. */
  readonly retryAfterSeconds: number | null;
  /** The members that were refused (INVALID_INPUT), else empty. */
  readonly errors: readonly { path: string; message: string }[];
  /** True where the same call can succeed later. */
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

/** Codes for what has no problem+json: answers that API Gateway makes by itself (docs/signing.md). */
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

/** The JSON object of a text, or an empty one: an error page of a proxy is no JSON. */
function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}
