/**
 * All error codes that a caller may receive. They never change and are never translated. shared/http/error-table.ts
 * gives each code its status and texts.
 */
export type ErrorCode =
  | 'INVALID_INPUT'
  | 'INVALID_KEY'
  | 'MISSING_IDEMPOTENCY_KEY'
  | 'LOGIN_REQUIRED'
  | 'LOGIN_EXPIRED'
  | 'SESSION_REVOKED'
  | 'BAD_CREDENTIALS'
  | 'PROOF_REQUIRED'
  | 'WECHAT_USER_LIMITED'
  | 'REPLAYED'
  | 'BODY_HASH_MISMATCH'
  | 'BAD_NOTIFY_SIGNATURE'
  | 'LOGIN_INFO_MISMATCH'
  | 'SCOPE_DENIED'
  | 'SIGNATURE_TOO_WEAK'
  | 'WECHAT_USER_BLOCKED'
  | 'NOT_FOUND'
  | 'UNKNOWN_PLUGIN'
  | 'UNKNOWN_RESOURCE'
  | 'ACCOUNT_EXISTS'
  | 'IDENTITY_TAKEN'
  | 'LAST_IDENTITY'
  | 'WALLET_NOT_EMPTY'
  | 'INSUFFICIENT_BALANCE'
  | 'HOLD_ENDED'
  | 'QUOTA_REACHED'
  | 'NOTICE_MISMATCH'
  | 'VERSION_MISMATCH'
  | 'TOO_LARGE'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'MISSING_VERSION'
  | 'LOCKED'
  | 'UNAVAILABLE'
  | 'PLUGIN_SERVER_UNAVAILABLE'
  | 'WECHAT_BUSY'
  | 'INTERNAL';

export interface FieldError {
  /** Path of the member with dots, such as `profile.name`; '' means the whole input. */
  path: string;
  message: string;
}

interface Refusal {
  retryAfterSeconds?: number;
  errors?: FieldError[];
  /** Headers to add to the answer, such as RateLimit. */
  headers?: Record<string, string>;
}

/** An error that the caller may see. Concepts throw it with a code; only shared/http knows status numbers. */
export class AppError extends Error {
  override readonly name = 'AppError';
  constructor(
    readonly code: ErrorCode,
    /** One English sentence for the caller. Without it the answer has the standard sentence of the code. */
    readonly detail?: string,
    readonly refusal: Refusal = {},
  ) {
    super(detail ?? code);
  }
}

/** INVALID_INPUT with the members that are wrong. */
export const invalidInput = (...errors: FieldError[]): AppError => new AppError('INVALID_INPUT', undefined, { errors });

/**
 * The access_token is refused although the authorizer accepted it. The caller gets the same answer as from API
 * Gateway's authorizer.
 */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
}

/** `not-applied`: certainly nothing happened. `unknown`: the engine may have applied it, or may still apply it. */
type Outcome = 'not-applied' | 'unknown';

/**
 * An engine did not give a usable answer. The message is written here and never taken from the engine: the messages of
 * both clients contain whole commands with their values.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  constructor(
    /** `store`: the object store of uploads. */
    readonly engine: 'redis' | 'mysql' | 'store',
    readonly reason: string,
    readonly outcome: Outcome,
  ) {
    super(`${engine}: ${reason}`);
  }
}

/** A deadlock or a lock wait: another statement was in progress. Nothing was applied, and a new attempt may succeed. */
export class ContentionError extends EngineError {
  constructor() {
    super('mysql', 'contention', 'not-applied');
  }
}

/** The answer to a statement inside a transaction was lost, so nothing is applied, and the transaction may run again. */
export class InterruptedTransaction extends EngineError {
  constructor(reason: string) {
    super('mysql', reason, 'not-applied');
  }
}

/** MySQL refused a statement; nothing of it was applied. Compare `errno`: the texts differ between servers. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  constructor(
    readonly errno: number,
    readonly sqlState: string,
    /** MySQL's own message, which may contain values. Only on the machine of a developer. */
    cause?: string,
  ) {
    super(`mysql refused a statement: errno ${errno}, sqlstate ${sqlState}`, cause === undefined ? {} : { cause });
  }
}

export const ER_DUP_ENTRY = 1062;
