import { AsyncLocalStorage } from 'node:async_hooks';
import { textOr } from './config.ts';

/**
 * What one invocation did, for its one log line and for deadlines. It holds no user and no secret: a handler gets
 * its user as a parameter.
 */
export interface Invocation {
  requestId: string;
  /** Unix milliseconds at which the Lambda is ended. */
  deadlineAt: number;
  redisRequests: number;
  mysqlRequests: number;
  /** Stable reason codes, such as `access-token.window`, with their number. */
  counts: Record<string, number>;
}

const invocations = new AsyncLocalStorage<Invocation>();
const logTarget = textOr('LOG', 'on');

export function runInvocation<T>(requestId: string, remainingMs: number, work: () => Promise<T>): Promise<T> {
  const invocation = {
    requestId,
    deadlineAt: Date.now() + remainingMs,
    redisRequests: 0,
    mysqlRequests: 0,
    counts: {},
  };
  return invocations.run(invocation, work);
}

export const currentInvocation = (): Invocation | undefined => invocations.getStore();

/** Milliseconds this invocation may still spend on one call, at most `limitMs`. */
export function remainingMs(limitMs: number): number {
  const invocation = invocations.getStore();
  return invocation ? Math.max(1, Math.min(limitMs, invocation.deadlineAt - Date.now() - 100)) : limitMs;
}

/** Counts a stable reason code; it goes out with the invocation's log line as a CloudWatch metric. */
export function count(code: string, by = 1): void {
  const invocation = invocations.getStore();
  if (invocation) invocation.counts[code] = (invocation.counts[code] ?? 0) + by;
  else writeLine({ level: 'info', metric: code, value: by });
}

export function countRequest(engine: 'redis' | 'mysql'): void {
  const invocation = invocations.getStore();
  if (!invocation) return;
  if (engine === 'redis') invocation.redisRequests++;
  else invocation.mysqlRequests++;
}

/** One JSON line. Callers pass stable codes and ids only: no token, key, body, or text of an engine. */
export function logLine(fields: Record<string, unknown>): void {
  writeLine(fields);
}

/** Something a person must look at: money or identity does not add up. */
export function alarm(code: string, fields: Record<string, unknown> = {}): void {
  count(`alarm.${code}`);
  writeLine({ level: 'alarm', code, requestId: invocations.getStore()?.requestId, ...fields });
}

/** The invocation's one line: CloudWatch Embedded Metric Format, so that counts become metrics at no request. */
export function logInvocation(fields: { route: string; status: number; code?: string; ms: number }): void {
  const invocation = invocations.getStore();
  if (!invocation) return;
  const { requestId, redisRequests, mysqlRequests, counts } = invocation;
  const names = Object.keys(counts);
  writeLine({
    ...(names.length > 0 && {
      _aws: {
        Timestamp: Date.now(),
        CloudWatchMetrics: [
          { Namespace: 'miniapp-cloud', Dimensions: [[]], Metrics: names.map((Name) => ({ Name, Unit: 'Count' })) },
        ],
      },
    }),
    requestId,
    ...fields,
    redisRequests,
    mysqlRequests,
    ...counts,
  });
}

function writeLine(fields: Record<string, unknown>): void {
  if (logTarget() === 'on') console.log(JSON.stringify(fields));
}
