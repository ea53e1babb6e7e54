import type { ReadAnswer, ReadState } from '../cache/cache.ts';
import { AppError, TokenRefused } from '../errors.ts';
import { type ApiLock, askLock } from '../lock/api-lock.ts';
import { evaluateBeside } from '../redis.ts';
import { count } from '../telemetry.ts';
import { pack, readApart } from './pack.ts';
import { signatureKey } from './replay-record.ts';
import type { AdmissionRequest, CacheRead } from './request.ts';
import { admissionScript } from './script.ts';

/**
 * Admission: everything a call must pass that needs memory, in one HTTP request to Redis. The request's own id is what
 * the replay record holds, so that admission may be sent again after a lost answer without refusing or charging twice.
 */
export type Admission =
  | Admitted
  /** The session's copy is not in Redis: ask MySQL, then admit again with the proof. */
  | { verdict: 'session-absent'; state: ReadState };

export interface Admitted {
  verdict: 'admitted';
  session: string;
  sessionExtended: boolean;
  reads: ReadAnswer[];
  /** After a success: gives back what `failure` rules charged, and sets the mark that spares this caller. */
  giveBack: ApiLock['giveBack'];
}

/**
 * Throws REPLAYED, LOGIN_EXPIRED, SESSION_REVOKED, LOCKED, TokenRefused; EngineError when Redis does not answer. `now`:
 * Unix milliseconds.
 */
export async function admit(request: AdmissionRequest, now = Date.now()): Promise<Admission> {
  for (let attempt = 1; ; attempt++) {
    const lock = askLockFor(request, now);
    const [answer, ...apart] = await evaluateBeside<string[]>(
      admissionScript,
      ...pack(request, lock, now),
      readApart(request.reads),
    );
    if (answer[0] === 'policy' && attempt < 4) await lock.learn(answer.slice(1));
    else return judge(answer, request, lock, apart);
  }
}

/**
 * Redis is down, read route: neither replay nor the session is checked here; lock rules by their own `onError`. Throws
 * LOCKED or UNAVAILABLE. `now`: Unix milliseconds.
 */
export function admitWithoutRedis(request: AdmissionRequest, now = Date.now()): Admitted {
  const lock = askLockFor(request, now);
  lock.applyWithoutRedis();
  const reads: ReadAnswer[] = request.reads.map(() => ({ state: 'away', stored: '' }));
  return { verdict: 'admitted', session: '', sessionExtended: false, reads, giveBack: lock.giveBack };
}

const askLockFor = (request: AdmissionRequest, now: number): ApiLock =>
  askLock(request, signatureKey(request.token.signature), now);

/** What the script's answer means for the call. Throws what admit() throws. */
function judge(answer: string[], request: AdmissionRequest, lock: ApiLock, apart: Array<string | null>): Admission {
  const [verdict, first = '', second = '', third = ''] = answer;
  switch (verdict) {
    case 'admitted':
      lock.countShadows(third);
      return {
        verdict: 'admitted',
        session: first,
        sessionExtended: second === '1',
        reads: readAnswers(answer, request.reads, apart),
        giveBack: lock.giveBack,
      };
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
    // Between script and value a writer came: what it left is not ours to fill.
    return /^[JZN]/.test(stored) ? { state, stored } : { state: 'bypass', stored: '' };
  });
}
