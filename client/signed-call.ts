// One call: signed, sent, and sent once more only where that can neither act twice nor fail for the same reason.
import { ApiError, apiErrorOf } from './api-error.ts';
import { freshNonce, type RandomSource } from './random.ts';
import { bodySha256, canonicalPath, canonicalQuery, signV1, signV2 } from './sign.ts';
import type { SessionStore } from './storage.ts';
import type { ApiAnswer, Transport } from './transport.ts';

interface Query {
  [name: string]: string | number | readonly (string | number)[] | undefined;
}

export interface RequestOptions {
  query?: Query;
  /** A JSON value, or the very text to send. */
  body?: unknown;
  /** v2 unless said otherwise; v1 only for servers that know no v2. */
  signature?: 'v1' | 'v2';
  idempotencyKey?: string;
  /** false: the session token stays at home. By default it goes along when there is one. */
  session?: boolean;
  /** True when a second execution does no harm, so that the call may be repeated like a GET after REPLAYED. */
  repeatable?: boolean;
}

/** Resolves with the JSON of a success. */
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
  random: RandomSource;
  /** Milliseconds since 1970, as the device believes. */
  now(): number;
  wait(milliseconds: number): Promise<void>;
  /** What the server's clock is ahead of this device's, once learnt. */
  clockOffsetSeconds: number;
}

const SKEW_SECONDS = 60;
const LONGEST_WAIT_SECONDS = 10;
const SESSION_ENDS = ['LOGIN_EXPIRED', 'SESSION_REVOKED', 'LOGIN_REQUIRED'];

/** Resolves with an answer of 2xx; throws ApiError for every other one and for none. */
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

    // The gateway refused before anything ran, so any method may go again once the clock is right.
    if (failure.code === 'FORBIDDEN' && !spent.has('skew') && learnClock(caller, answer, SKEW_SECONDS)) {
      spent.add('skew');
      continue;
    }
    // A nonce of 128 random bits does not repeat: a middle box sent the call twice and the first one may have acted, or
    // the server lost its replay records and asks for a younger stamp. Only what may act twice is sent again.
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
  if (body !== null && (verb === 'GET' || verb === 'HEAD')) throw new TypeError(`${verb} takes no body`);
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
  if (caller.language !== null) headers['accept-language'] = caller.language;

  const url = caller.baseUrl + canonicalPath(path) + (query === '' ? '' : `?${query}`);
  try {
    return await caller.transport.send({ method: verb, url, headers, body });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : 'no answer';
    throw new ApiError({ status: 0, code: 'NETWORK', detail, retryable: true });
  }
}

/** Takes the server's clock from an answer's Date; false when it has none or is as near as `toleranceSeconds`. */
function learnClock(caller: ClientState, answer: ApiAnswer, toleranceSeconds: number): boolean {
  const served = Date.parse(answer.header('date') ?? '');
  if (Number.isNaN(served)) return false;
  const offset = Math.floor(served / 1000) - Math.floor(caller.now() / 1000);
  if (Math.abs(offset - caller.clockOffsetSeconds) <= toleranceSeconds) return false;
  caller.clockOffsetSeconds = offset;
  return true;
}

/** A list makes a name appear several times; undefined leaves it out. */
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
