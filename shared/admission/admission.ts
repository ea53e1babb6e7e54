import type { ReadAnswer, ReadState } from '../cache/cache.ts';
import { AppError, TokenRefused } from '../errors.ts';
import { type ApiLock, askLock } from '../lock/api-lock.ts';
import { evaluateAndGet } from '../redis.ts';
import { count } from '../telemetry.ts';
import { pack, readApart } from './pack.ts';
import { signatureKey } from './replay-record.ts';
import type { AdmissionRequest, CacheRead } from './request.ts';
import { admissionScript } from './script.ts';

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

/**
 * Sends admission, and sends it again when the policy of an operator has changed. `now`: Unix milliseconds. Throws
 * REPLAYED, LOGIN_EXPIRED, SESSION_REVOKED, LOCKED, TokenRefused; EngineError when Redis does not answer.
 */
export async function admit(request: AdmissionRequest, now = Date.now()): Promise<Admission> {
  for (let attempt = 1; ; attempt++) {
    const lock = askLockFor(request, now);
    const [answer, ...apart] = await evaluateAndGet<string[]>(
      admissionScript,
      ...pack(request, lock, now),
      readApart(request.reads),
    );
    if (answer[0] === 'policy' && attempt < 4) await lock.learn(answer.slice(1));
    else return judge(answer, request, lock, apart);
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

/** A read that had to be loaded was charged as a miss. */
const returnsOf = (lock: ApiLock, reads: readonly ReadAnswer[]): Pick<Admitted, 'giveBack' | 'giveBackAll'> => ({
  giveBack: lock.giveBack,
  giveBackAll: () => lock.giveBackAll(reads.filter(({ state }) => state === 'lease').length),
});

const askLockFor = (request: AdmissionRequest, now: number): ApiLock =>
  askLock(request, signatureKey(request.token.signature), now);

/** Turns the script's answer into the result or the error of the call. Throws what admit() throws. */
function judge(answer: string[], request: AdmissionRequest, lock: ApiLock, apart: Array<string | null>): Admission {
  const [verdict, first = '', second = '', third = ''] = answer;
  switch (verdict) {
    case 'admitted': {
      lock.countShadows(third);
      const reads = readAnswers(answer, request.reads, apart);
      const sessionExtended = second === '1';
      return { verdict: 'admitted', session: first, sessionExtended, reads, ...returnsOf(lock, reads) };
    }
    case 'absent':
      return { verdict: 'session-absent', state: first as ReadState };
    case 'locked':
      throw lock.refusal(Number(first), Number(second));
    case 'replayed':
    case 'since':
      count(`admission.${verdict}`);
      throw new AppError('REPLAYED');
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

function readAnswers(answer: string[], reads: readonly CacheRead[], apart: Array<string | null>): ReadAnswer[] {
  let next = 0;
  return reads.map((read, i) => {
    const state = answer[4 + 2 * i] as ReadState;
    if (read.kind !== 'apart') return { state, stored: answer[5 + 2 * i] ?? '' };
    const stored = apart[next++] ?? '';
    if (state !== 'hit' && state !== 'stale' && state !== 'refresh') return { state, stored: '' };
    // A writer changed the key after the script: this request has no lease, so it must not fill the key.
    return /^[JZN]/.test(stored) ? { state, stored } : { state: 'bypass', stored: '' };
  });
}
