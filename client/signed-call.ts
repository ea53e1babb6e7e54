// One call: signed and sent. It is sent again only if it cannot act twice and does not fail for the same reason.
import { ApiError, apiErrorOf } from './api-error.ts';
import { freshNonce, type RandomSource } from './random.ts';
import { bodySha256, canonicalPath, canonicalQuery, signV1, signV2 } from './sign.ts';
import type { DeviceMarkStore, SessionStore } from './storage.ts';
import type { ApiAnswer, Transport } from './transport.ts';

interface Query {
  [name: string]: string | number | readonly (string | number)[] | undefined;
}

export interface RequestOptions {
  query?: Query;
  /** A JSON value, or the exact text to send. */
  body?: unknown;
  /** The default is v2. Use v1 only for servers that do not know v2. */
  signature?: 'v1' | 'v2';
  idempotencyKey?: string;
  /** false: the session token is not sent. By default it is sent if there is one. */
  session?: boolean;
  /** True for logins: sends the mark of this device, if there is one. */
  deviceMark?: boolean;
  /** True if a second execution does no harm. After REPLAYED the call may then be repeated like a GET. */
  repeatable?: boolean;
}

/** Resolves with the JSON of a successful answer. */
export type Json = <T>(method: string, path: string, options?: RequestOptions) => Promise<T>;
/** For calls that answer 204. */
export type Empty = (method: string, path: string, options: RequestOptions) => Promise<void>;

export interface ClientState {
  baseUrl: string;
  appId: string;
  privateKey: string;
  language: 'zh' | 'en' | null;
  transport: Transport;
  sessions: SessionStore;
  deviceMarks: DeviceMarkStore;
  random: RandomSource;
  /** Milliseconds since 1970, by the clock of the device. */
  now(): number;
  wait(milliseconds: number): Promise<void>;
  /** How far the server's clock is ahead of this device's, as learned from an answer. */
  clockOffsetSeconds: number;
}

const SKEW_SECONDS = 60;
const LONGEST_WAIT_SECONDS = 10;
const SESSION_ENDS = ['LOGIN_EXPIRED', 'SESSION_REVOKED', 'LOGIN_REQUIRED'];

/** Resolves with a 2xx answer. Throws ApiError for every other answer, and if there is none. */
export async function sendSigned(caller: ClientState, method: string, path: string, options: RequestOptions) {
  const verb = method.toUpperCase();
  const safe = verb === 'GET' || verb === 'HEAD';
  const repeatable = safe || options.repeatable === true || options.idempotencyKey !== undefined;
  const spent = new Set<'skew' | 'replay' | 'wait'>();

  for (;;) {
    const session = options.session === false ? null : caller.sessions.current();
    const answer = await sendOnce(caller, verb, path, options, session);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const failure = apiErrorOf(answer);

    // API Gateway refused before the handler ran, so any method may be sent again with the correct time.
    if (failure.code === 'FORBIDDEN' && !spent.has('skew') && learnClock(caller, answer, SKEW_SECONDS)) {
      spent.add('skew');
      continue;
    }
    // A nonce of 128 random bits does not repeat. So a proxy sent the call twice and the first one may have acted, or
    // the server lost its replay records and needs a newer time. Only calls that may act twice are sent again.
    if (failure.code === 'REPLAYED' && repeatable && !spent.has('replay')) {
      spent.add('replay');
      learnClock(caller, answer, 0);
      continue;
    }
    const seconds = failure.retryAfterSeconds;
    if (answer.status === 503 && safe && seconds !== null && seconds <= LONGEST_WAIT_SECONDS && !spent.has('wait')) {
      spent.add('wait');
      await caller.wait(seconds * 1000);
      continue;
    }
    if (answer.status === 401 && session !== null && SESSION_ENDS.includes(failure.code))
      caller.sessions.forget(session);
    throw failure;
  }
}

async function sendOnce(
  caller: ClientState,
  verb: string,
  path: string,
  options: RequestOptions,
  session: string | null,
): Promise<ApiAnswer> {
  const query = canonicalQuery(pairsOf(options.query ?? {}));
  const body = textOf(options.body);
  if (body !== null && (verb === 'GET' || verb === 'HEAD')) throw new TypeError(`${verb} cannot have a body`);
  const version = options.signature ?? 'v2';
  const identity = {
    appId: caller.appId,
    privateKey: caller.privateKey,
    timeStamp: Math.floor(caller.now() / 1000) + caller.clockOffsetSeconds,
    nonce: await freshNonce(caller.random),
  };
  const headers: Record<string, string> = {
    'access-token':
      version === 'v1'
        ? signV1({ ...identity, method: 'SHA1' })
        : signV2({ ...identity, httpMethod: verb, path, query, body: body ?? '' }),
  };
  if (session !== null) headers.authorization = `Bearer ${session}`;
  if (body !== null) headers['content-type'] = 'application/json';
  if (body !== null && version === 'v2') headers['x-content-sha256'] = bodySha256(body);
  if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey;
  const mark = options.deviceMark === true ? caller.deviceMarks.current() : null;
  if (mark !== null) headers['device-mark'] = mark;
  if (caller.language !== null) headers['accept-language'] = caller.language;

  const url = caller.baseUrl + canonicalPath(path) + (query === '' ? '' : `?${query}`);
  try {
    return await caller.transport.send({ method: verb, url, headers, body });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : 'no answer';
    throw new ApiError({ status: 0, code: 'NETWORK', detail, retryable: true });
  }
}

/**
 * Learns the server's clock from the Date of an answer; false: no Date, or it differs by at most `toleranceSeconds`.
 */
function learnClock(caller: ClientState, answer: ApiAnswer, toleranceSeconds: number): boolean {
  const served = Date.parse(answer.header('date') ?? '');
  if (Number.isNaN(served)) return false;
  const offset = Math.floor(served / 1000) - Math.floor(caller.now() / 1000);
  if (Math.abs(offset - caller.clockOffsetSeconds) <= toleranceSeconds) return false;
  caller.clockOffsetSeconds = offset;
  return true;
}

/** An array makes a name appear several times; undefined leaves it out. */
function pairsOf(query: Query): [string, string][] {
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of typeof value === 'object' ? value : [value]) pairs.push([name, String(one)]);
  }
  return pairs;
}

function textOf(body: unknown): string | null {
  if (body === undefined) return null;
  return typeof body === 'string' ? body : JSON.stringify(body);
}
