/** Every refusal a caller may see. Stable, never translated; shared/http/error-table.ts gives each its status and texts. */
export type ErrorCode =
  | 'INVALID_INPUT'
  | 'INVALID_KEY'
  | 'MISSING_IDEMPOTENCY_KEY'
  | 'LOGIN_REQUIRED'
  | 'LOGIN_EXPIRED'
  | 'SESSION_REVOKED'
  | 'BAD_CREDENTIALS'
  | 'REPLAYED'
  | 'BODY_HASH_MISMATCH'
  | 'BAD_NOTIFY_SIGNATURE'
  | 'LOGIN_INFO_MISMATCH'
  | 'SCOPE_DENIED'
  | 'SIGNATURE_TOO_WEAK'
  | 'NOT_FOUND'
  | 'UNKNOWN_PLUGIN'
  | 'UNKNOWN_RESOURCE'
  | 'ACCOUNT_EXISTS'
  | 'INSUFFICIENT_BALANCE'
  | 'NOTICE_MISMATCH'
  | 'TOO_LARGE'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'LOCKED'
  | 'UNAVAILABLE'
  | 'PLUGIN_SERVER_UNAVAILABLE'
  | 'INTERNAL';

export interface FieldError {
  /** Dotted path of the member, '' for the whole. */
  path: string;
  message: string;
}

interface Refusal {
  retryAfterSeconds?: number;
  errors?: FieldError[];
  /** Further answer headers, such as RateLimit. */
  headers?: Record<string, string>;
}

/** What a caller did, or may be told. Concepts throw it; only shared/http knows status numbers. */
export class AppError extends Error {
  override readonly name = 'AppError';
  constructor(
    readonly code: ErrorCode,
    /** One English sentence for the caller; without it the code's standard sentence is given. */
    readonly detail?: string,
    readonly refusal: Refusal = {},
  ) {
    super(detail ?? code);
  }
}

/** INVALID_INPUT that names the members it is about. */
export const invalidInput = (...errors: FieldError[]): AppError => new AppError('INVALID_INPUT', undefined, { errors });

/** The access_token is refused after all; from outside it looks as a refusal by API Gateway's authorizer. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
}

/** `not-applied`: surely nothing happened. `unknown`: the engine may have done it, or may still do it. */
type Outcome = 'not-applied' | 'unknown';

/**
 * An engine did not give an answer. The message is ours, never the engine's: those of both clients hold whole
 * commands with their values.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  constructor(
    readonly engine: 'redis' | 'mysql',
    readonly reason: string,
    readonly outcome: Outcome,
  ) {
    super(`${engine}: ${reason}`);
  }
}

/** Another statement stood in the way (a deadlock, a lock wait): nothing was applied, and it may pass in a moment. */
export class ContentionError extends EngineError {
  constructor() {
    super('mysql', 'contention', 'not-applied');
  }
}

/** MySQL refused a statement; nothing of it was applied. Compare `errno`, texts differ between servers. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  constructor(
    readonly errno: number,
    readonly sqlState: string,
  ) {
    super(`mysql refused a statement: errno ${errno}, sqlstate ${sqlState}`);
  }
}

export const ER_DUP_ENTRY = 1062;
