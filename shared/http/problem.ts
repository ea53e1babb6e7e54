import { AppError, EngineError, type ErrorCode, TokenRefused } from '../errors.ts';
import { PlainText } from './answer.ts';
import { ERROR_TABLE, type Language } from './error-table.ts';

/** Answers and problems (RFC 9457 problem+json). Only this folder has status numbers. */
export interface HttpAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

/** The first of zh and en in the header; English if it has neither. */
export function chooseLanguage(acceptLanguage: string | undefined): Language {
  const named = /\b(zh|en)\b/i.exec(acceptLanguage ?? '')?.[1];
  return named?.toLowerCase() === 'zh' ? 'zh' : 'en';
}

const baseHeaders = (requestId: string): Record<string, string> => ({
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'x-request-id': requestId,
});

interface Problem {
  answer: HttpAnswer;
  code: ErrorCode;
  /** false: not thrown on purpose, so it is logged. */
  expected: boolean;
}

/** The answer for a thrown error. An unknown error becomes INTERNAL, and its text is not shown. */
export function problemFor(error: unknown, requestId: string, language: Language): Problem {
  if (error instanceof TokenRefused) return { answer: forbidden(requestId), code: 'SCOPE_DENIED', expected: true };
  const refused = refusalOf(error);
  return {
    answer: problemAnswer(refused ?? new AppError('INTERNAL'), requestId, language),
    code: refused?.code ?? 'INTERNAL',
    expected: refused !== null,
  };
}

/** null: an unknown error. */
function refusalOf(error: unknown): AppError | null {
  if (error instanceof AppError) return error;
  return error instanceof EngineError ? new AppError('UNAVAILABLE') : null;
}

/** The call failed because of us: its answer is a 5xx. */
export const isOurFailure = (error: unknown): boolean =>
  !(error instanceof TokenRefused) && ERROR_TABLE[refusalOf(error)?.code ?? 'INTERNAL'].status >= 500;

const RETRY_AFTER_SECONDS = 2;

function problemAnswer({ code, detail, refusal }: AppError, requestId: string, language: Language): HttpAnswer {
  const { status, retryable, [language]: texts } = ERROR_TABLE[code];
  const retryAfter = refusal.retryAfterSeconds ?? (status === 503 ? RETRY_AFTER_SECONDS : undefined);
  return {
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
      detail: (language === 'en' && detail) || texts[1],
      requestId,
      retryable,
      ...(refusal.errors && { errors: refusal.errors }),
    }),
  };
}

/** The same answer as API Gateway's own refusal. */
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
