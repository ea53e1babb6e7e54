import type { ReadAnswer, ReadState } from '../cache/cache.ts';
import { checkClock, compareClocks } from '../clock.ts';
import { AppError, EngineError, TokenRefused } from '../errors.ts';
import { type ApiLock, askLock } from '../lock/api-lock.ts';
import { evaluateAndGet } from '../redis.ts';
import { count } from '../telemetry.ts';
import { isApart, pack, readApart } from './pack.ts';
import { recordId, signatureRecord } from './replay-record.ts';
import type { AdmissionRequest, CacheRead } from './request.ts';
import { admissionScript } from './script.ts';
import { ABSENT, ADMITTED, LOCKED, READ_ANSWER } from './wire.ts';

/**
 * Admission: one HTTP request to Redis does all checks of a call that need stored state. The replay record holds the id
 * of the request. So the same request may send its admission again after a lost answer: it is neither refused nor
 * counted twice.
 */
export type Admission =
  | Admitted
  /** The session's copy is not in Redis: ask MySQL, then send admission again with the result. */
  | { verdict: 'session-absent'; state: ReadState };

export interface Admitted {
  verdict: 'admitted';
  /** The copy of the session as it is in Redis; '' if the call has no session, or if MySQL has just confirmed it. */
  session: string;
  /** true: the copy now lives longer, so the row in MySQL should be extended too. */
  sessionExtended: boolean;
  /** One entry for each declared read, in order. */
  reads: ReadAnswer[];
  /** Call it after a success: gives back what `failure` rules charged, and sets the marks of a known caller. */
  giveBack: ApiLock['giveBack'];
  /** Call it after a failure of ours: gives back everything that the call was charged, once. Throws EngineError. */
  giveBackAll(): Promise<void>;
}

/** Redis did not answer. It may have admitted and charged the call all the same. */
export class AdmissionUnanswered extends EngineError {
  constructor(
    { engine, reason, outcome }: EngineError,
    /** Gives back what was charged, if anything was, but not misses: how many there were is unknown. Throws EngineError. */
    readonly giveBackAll: () => Promise<void>,
  ) {
    super(engine, reason, outcome);
  }
}

/** false: every record in the form before buckets has ended, so their keys need not be sent. */
let formerRecordsMayLive = true;

/**
 * Sends admission, and sends it again when the policy of an operator has changed. `now`: Unix milliseconds of this
 * process, for what it remembers itself: refusals and blocks. Throws REPLAYED, LOGIN_EXPIRED, SESSION_REVOKED, LOCKED,
 * UNAVAILABLE, TokenRefused; EngineError when Redis does not answer, AdmissionUnanswered if it may have charged the call.
 */
export async function admit(request: AdmissionRequest, now = Date.now()): Promise<Admission> {
  for (let attempt = 1; ; attempt++) {
    const lock = askLockFor(request, now);
    const sentAt = Date.now();
    const [answer, ...apart] = await evaluateAndGet<string[]>(
      admissionScript,
      ...pack(request, lock, formerRecordsMayLive),
      readApart(request.reads),
    ).catch((error: unknown) => {
      const mayBeCharged = error instanceof EngineError && error.outcome === 'unknown';
      throw mayBeCharged ? new AdmissionUnanswered(error, () => lock.giveBackAll(0)) : error;
    });
    if (answer[0] === 'policy' && attempt < 4) {
      await lock.learn(answer.slice(1));
      continue;
    }
    if (compareClocks(Number(answer[1]), sentAt)) await checkClock('admission');
    return judge(answer, request, lock, apart);
  }
}

/**
 * Redis is down, read route: replay cannot be checked. Each lock rule follows its own `onError`. The session is not
 * checked here. `now`: Unix milliseconds. Throws LOCKED, UNAVAILABLE.
 */
export function admitWithoutRedis(request: AdmissionRequest, now = Date.now()): Admitted {
  const lock = askLockFor(request, now);
  lock.applyWithoutRedis();
  const reads: ReadAnswer[] = request.reads.map(() => ({ state: 'redis-down', stored: '' }));
  return { verdict: 'admitted', session: '', sessionExtended: false, reads, ...returnsOf(lock, reads) };
}

/** A read that had to be loaded, or that the filter called absent, was charged as a miss. */
const returnsOf = (lock: ApiLock, reads: readonly ReadAnswer[]): Pick<Admitted, 'giveBack' | 'giveBackAll'> => ({
  giveBack: lock.giveBack,
  giveBackAll: () => lock.giveBackAll(reads.filter(({ state }) => state === 'lease' || state === 'none').length),
});

const askLockFor = (request: AdmissionRequest, now: number): ApiLock =>
  askLock(request, { ...signatureRecord(request.token), id: recordId(request.requestId) }, now);

/** Turns the script's answer into the result or the error of the call. Throws what admit() throws. */
function judge(answer: string[], request: AdmissionRequest, lock: ApiLock, apart: Array<string | null>): Admission {
  const verdict = answer[0];
  switch (verdict) {
    case 'admitted': {
      const { young, shownSession, extended, shadows } = ADMITTED.read(answer, 2);
      formerRecordsMayLive = young;
      lock.countShadows(shadows);
      const reads = readAnswers(answer.slice(2 + ADMITTED.length), request.reads, apart);
      return {
        verdict: 'admitted',
        session: shownSession,
        sessionExtended: extended,
        reads,
        ...returnsOf(lock, reads),
      };
    }
    case 'absent':
      return { verdict: 'session-absent', state: ABSENT.read(answer, 2).state as ReadState };
    case 'locked': {
      const { refused, refusedMs } = LOCKED.read(answer, 2);
      throw lock.refusal(refused, refusedMs);
    }
    case 'replayed':
    case 'since':
      count(`admission.${verdict}`);
      throw new AppError('REPLAYED');
    case 'unsure':
      count('admission.unsure');
      throw new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
    case 'window':
      count('admission.window');
      throw new TokenRefused();
    case 'expired':
      throw new AppError('LOGIN_EXPIRED');
    case 'revoked':
      throw new AppError('SESSION_REVOKED');
    case 'app-off':
      count('access-token.app-off');
      throw new TokenRefused();
    default:
      throw new Error('admission gave no known verdict');
  }
}

/** `answer`: state and value of each read, as the script gives them. */
function readAnswers(answer: string[], reads: readonly CacheRead[], apart: Array<string | null>): ReadAnswer[] {
  let next = 0;
  return reads.map((read, i) => {
    const found = READ_ANSWER.read(answer, i * READ_ANSWER.length);
    const state = found.state as ReadState;
    if (!isApart(read.kind)) return { state, stored: found.stored };
    const stored = apart[next++] ?? '';
    const isShown = ['hit', 'stale', 'refresh', 'reload'].includes(state);
    // What the script says about the generation of a page, and the page. Its reader compares the generation.
    if (read.kind === 'apart-page') return { state, stored: found.stored + (isShown ? stored : '') };
    if (!isShown) return { state, stored: '' };
    // A writer changed the key after the script: this request has no lease, so it must not fill the key.
    return /^[JZN]/.test(stored) ? { state, stored } : { state: 'bypass', stored: '' };
  });
}
