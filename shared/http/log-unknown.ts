import { ConfigError, errorDetails } from '../config.ts';
import { EngineError, SqlError } from '../errors.ts';
import { logLine } from '../telemetry.ts';

/**
 * Logs an error that nobody expected: its class, the number of MySQL and the stack. A message may contain what must not
 * be logged, so it is written only on the machine of a developer (ERROR_DETAILS). A ConfigError names variables and no
 * values, so its message is always written.
 */
export function logUnknown(error: unknown): void {
  logLine({
    level: 'error',
    code: 'INTERNAL',
    error: error instanceof Error ? error.name : typeof error,
    ...(error instanceof SqlError && { errno: error.errno, sqlState: error.sqlState }),
    ...((errorDetails() === 'on' || error instanceof ConfigError) && { message: messagesOf(error).join(' <- ') }),
    stack: error instanceof Error ? stackOf(error) : [],
  });
}

/** On the machine of a developer, also why an engine was not usable: callers get the same 503 for every reason. */
export function logEngineError(error: unknown): void {
  if (errorDetails() !== 'on' || !(error instanceof EngineError)) return;
  logLine({ level: 'warning', code: 'UNAVAILABLE', message: messagesOf(error).join(' <- '), stack: stackOf(error) });
}

/** The message of the error, and of each error that caused it. */
function messagesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  return [error.message, ...(error.cause === undefined ? [] : messagesOf(error.cause))];
}

const stackOf = (error: Error): string[] =>
  (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8);
