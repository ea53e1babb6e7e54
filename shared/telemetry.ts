import { AsyncLocalStorage } from 'node:async_hooks';
import { textOr } from './config.ts';

/** Facts about one invocation, for its log lines and for deadlines. */
export interface Invocation {
  /** The id in the answer and in the access log of the gateway. A scheduled run has Lambda's id of the invocation. */
  requestId: string;
  /** Unix milliseconds at which AWS stops the function. */
  deadlineAt: number;
  /** Time before `deadlineAt` in which no call to an engine may still run. */
  reserveMs: number;
  redisRequests: number;
  mysqlRequests: number;
  /** How often each reason code, such as `access-token.window`, was counted. */
  counts: Record<string, number>;
}

/** Who calls, for the log lines of the call. It can only be written: a handler gets its user as a parameter. */
interface CallerFacts {
  /** The name in API Gateway: `POST /login`. */
  route?: string;
  /** The AppID, as the access_token names it. In a line of the authorizer with status 403 nothing proves it. */
  app?: string;
  /** What proved the call: a key of the app (v1, v2), a session of a public app, its mere name, or nothing. */
  proof?: 'v1' | 'v2' | 'session' | 'named' | 'none';
  /** The public id of the user whose session was sent. */
  userId?: string;
  /** A keyed hash of the address, or of its IPv6 network: the same caller has the same hash. */
  address?: string;
}

const INVOCATIONS = Symbol.for('miniapp-cloud:invocations');
/** Time to write the answer, and before it the time for one request that gives back what a failed call was charged. */
const ANSWER_MS = 100;
const GIVE_BACK_MS = 300;

/**
 * One for all functions of a process, and for those that a new build replaces: Node 20 asks every storage at each
 * promise. With 100 storages a promise takes 30 times as long.
 */
const everywhere = globalThis as {
  [INVOCATIONS]?: AsyncLocalStorage<Invocation & { caller: CallerFacts }>;
};
const invocations = everywhere[INVOCATIONS] ?? new AsyncLocalStorage();
everywhere[INVOCATIONS] = invocations;
const logTarget = textOr('LOG', 'on');
let inProgress = 0;

export function runInvocation<T>(requestId: string, remainingMs: number, work: () => Promise<T>): Promise<T> {
  const invocation = {
    requestId,
    deadlineAt: Date.now() + remainingMs,
    reserveMs: ANSWER_MS + GIVE_BACK_MS,
    redisRequests: 0,
    mysqlRequests: 0,
    counts: {},
    caller: {},
  };
  inProgress++;
  return invocations.run(invocation, work).finally(() => inProgress--);
}

/** Invocations of this process that have not ended. An instance on AWS has one at a time. */
export const callsInProgress = (): number => inProgress;

export const currentInvocation = (): Invocation | undefined => invocations.getStore();

/** Adds facts about the caller to the log lines that this invocation writes from now on. */
export function noteCaller(facts: CallerFacts): void {
  const invocation = invocations.getStore();
  if (invocation) Object.assign(invocation.caller, facts);
}

/** Milliseconds that one call to an engine may take now: `limitMs`, or less near the end of the invocation. */
export function remainingMs(limitMs: number): number {
  const invocation = invocations.getStore();
  if (!invocation) return limitMs;
  return Math.max(1, Math.min(limitMs, invocation.deadlineAt - Date.now() - invocation.reserveMs));
}

/** The work of the invocation has ended in a failure: the next request may use the time that was kept for it. */
export function useReservedTime(): void {
  const invocation = invocations.getStore();
  if (invocation) invocation.reserveMs = ANSWER_MS;
}

/** Counts a reason code. It becomes a CloudWatch metric through the log line of the invocation. */
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

/** Sets a figure in the log line of the invocation. CloudWatch makes a metric of it. */
export function measure(code: string, value: number): void {
  const invocation = invocations.getStore();
  if (invocation) invocation.counts[code] = value;
}

/**
 * Writes one JSON line with the id of the call and its caller. Pass codes and ids only: no token, no key, no body, no
 * message of an engine.
 */
export function logLine(fields: Record<string, unknown>): void {
  const invocation = invocations.getStore();
  writeLine({ ...(invocation && { requestId: invocation.requestId, ...invocation.caller }), ...fields });
}

/** For facts that a person must look at: money or identity is inconsistent. */
export function alarm(code: string, fields: Record<string, unknown> = {}): void {
  count(`alarm.${code}`);
  logLine({ level: 'alarm', code, ...fields });
}

/** Writes the line of the invocation in CloudWatch Embedded Metric Format: counts become metrics without a request. */
export function logInvocation(fields: {
  step: 'authorizer' | 'function' | 'schedule';
  status: number;
  code?: string;
  ms: number;
}): void {
  const invocation = invocations.getStore();
  if (!invocation) return;
  const { requestId, caller, redisRequests, mysqlRequests, counts } = invocation;
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
    ...caller,
    ...fields,
    redisRequests,
    mysqlRequests,
    ...counts,
  });
}

function writeLine(fields: Record<string, unknown>): void {
  if (logTarget() === 'on') console.log(JSON.stringify(fields));
}
