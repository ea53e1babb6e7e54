// One call: signed and sent. It is sent again only if it cannot act twice and does not fail for the same reason.

import type { ApiAnswer } from './api-answer.ts';
import { ApiError, apiErrorOf, asksForLogin, localError, reasonOf, userChanged } from './api-error.ts';
import type { ClientState, InternalOptions } from './call.ts';
import { callOf } from './outgoing-call.ts';
import { unlessAborted, within } from './patience.ts';
import type { SignedIn } from './session-book.ts';
import { attempt } from './storage.ts';

type Mode = NonNullable<InternalOptions['session']>;

const SKEW_SECONDS = 60;
const LONGEST_WAIT_SECONDS = 10;

/** Resolves with a 2xx answer. Throws ApiError for every other answer, and if there is none. */
export function sendSigned(caller: ClientState, method: string, path: string, options: InternalOptions = {}) {
  return unlessAborted(options, () => sendAndRepeat(caller, method.toUpperCase(), path, options));
}

async function sendAndRepeat(caller: ClientState, verb: string, path: string, options: InternalOptions) {
  const { session: mode = true } = options;
  const { asked } = caller;
  /** Each reason counts once. */
  const spent = new Set<Reason>();
  let session = await sessionFor(caller, mode);
  const { as } = options;
  if (as && session) {
    as.userId = as.userId || session.userId;
    if (as.userId !== session.userId) throw userChanged();
  }
  for (;;) {
    // Of this try: calls at the same time all learn the clock, and each of them has to repeat.
    const { clock } = caller;
    const answer = await sendOnce(caller, verb, path, options, session);
    const served = serverClock(caller, answer);
    const error = Math.abs(served - clock);
    if (answer.status >= 200 && answer.status < 300) {
      if (session && error >= 0) caller.logins.renew(session, served);
      return answer;
    }
    const failure = apiErrorOf(answer);
    const isClockWrong = error > SKEW_SECONDS;
    const reason = reasonToRepeat(verb, options, failure, isClockWrong);
    if (reason && !spent.has(reason)) {
      spent.add(reason);
      if (reason === 'wait') await caller.wait((failure.retryAfterSeconds as number) * 1000);
      else if (error >= 0) caller.clock = served;
    } else {
      // The signing key was replaced, or the app was turned off: this session will never be accepted again.
      const isRefused = error <= SKEW_SECONDS && session && session.key && isGatewayRefusal(answer);
      if (!asksForLogin(failure) && !isRefused) throw failure;
      const mayRepeat = !spent.has('session') && options.repeatable !== false;
      const next = await sessionAfter(caller, mode, session, mayRepeat);
      if (next === undefined) throw mode === true ? loginRequired(caller, failure, asked) : failure;
      spent.add('session');
      session = next;
    }
  }
}

type Reason = 'clock' | 'replay' | 'wait' | 'session' | '';

function reasonToRepeat(verb: string, options: InternalOptions, failure: ApiError, isClockWrong: boolean): Reason {
  const { code, status, retryAfterSeconds: seconds } = failure;
  // API Gateway refused before the handler ran, so any method may be sent again with the correct time.
  if (code === 'FORBIDDEN') return isClockWrong ? 'clock' : '';
  const safe = verb === 'GET' || verb === 'HEAD';
  // A nonce of 128 random bits does not repeat. So a proxy sent the call twice and the first one may have acted, or
  // the server lost its replay records and needs a newer time. Only calls that may act twice are sent again.
  if (code === 'REPLAYED') return safe || options.repeatable || options.idempotencyKey ? 'replay' : '';
  return status === 503 && safe && seconds !== null && seconds <= LONGEST_WAIT_SECONDS ? 'wait' : '';
}

/** Of calls that run at the same time, only the first one that fails asks for a login. */
export function loginRequired(caller: ClientState, failure: ApiError, asked: number): ApiError {
  if (caller.asked === asked) {
    caller.asked++;
    attempt(() => caller.onLoginRequired(failure));
  }
  return failure;
}

async function sessionFor({ book, logins }: ClientState, mode: Mode): Promise<SignedIn | null> {
  if (mode === true) return logins.session();
  if (mode !== 'optional') return mode || null;
  const session = await book.current();
  // In H5 the storage may hold another user, whose session this login must not end.
  return session && session.userId === book.user ? session : null;
}

/** The session for a repetition after `refused` was refused. undefined: the call must not be repeated. */
async function sessionAfter(
  { book, logins }: ClientState,
  mode: Mode,
  refused: SignedIn | null,
  mayRepeat: boolean,
): Promise<SignedIn | null | undefined> {
  if (!refused) return undefined;
  await book.forget(refused);
  if (!mayRepeat || !refused.key) return undefined;
  // A login. The session that it would have replaced is gone.
  if (mode === 'optional') return null;
  if (mode !== true) return undefined;
  // Nothing ran, so any method may be sent again, but only for the same user.
  const next = await logins.session();
  if (next && next.userId !== refused.userId) throw userChanged();
  return next || undefined;
}

async function sendOnce(
  caller: ClientState,
  verb: string,
  path: string,
  options: InternalOptions,
  session: SignedIn | null,
): Promise<ApiAnswer> {
  const call = await callOf(caller, verb, path, options, session);
  const { timeoutMs } = call;
  return within(timeoutMs, () => caller.transport.send(call)).catch((cause: unknown) => {
    throw cause instanceof ApiError ? cause : localError('NETWORK', reasonOf(cause));
  });
}

/** How far the server's clock is ahead of this device's. NaN: the answer does not say. */
function serverClock(caller: ClientState, answer: ApiAnswer): number {
  return Math.floor((Date.parse(answer.header('date') as string) - caller.now()) / 1000);
}

/** Exactly API Gateway's answer: that of a firewall or a proxy says nothing about the session. */
function isGatewayRefusal({ status, text }: ApiAnswer): boolean {
  return status === 403 && text.trim() === '{"message":"Forbidden"}';
}
