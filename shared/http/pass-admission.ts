import {
  type Admission,
  AdmissionUnanswered,
  type Admitted,
  admit,
  admitWithoutRedis,
} from '../admission/admission.ts';
import type { AdmissionRequest } from '../admission/request.ts';
import { withLoadCap } from '../cache/cache.ts';
import { AppError, EngineError } from '../errors.ts';
import {
  type CurrentUser,
  dropCopy,
  findSession,
  markEnded,
  prolongSession,
  type sessionCheck,
  userFromCopy,
} from '../session/session.ts';
import type { SessionToken } from '../session/token.ts';

/** What admission charged a call. `admitted` is missing: the call was charged nothing yet. */
export interface Charged {
  admitted?: Admitted;
  /** An admission that Redis may have applied, although its answer did not come. */
  unanswered?: AdmissionUnanswered;
}

/**
 * Runs admission. It also handles a session that is not in Redis, and Redis that is down. It may be charged and fail
 * later: `charged` is set as soon as the call is admitted.
 */
export async function passAdmission(request: AdmissionRequest, session: SessionToken | undefined, charged: Charged) {
  const { appId } = request.token;
  try {
    const [first, user] = await admitWithUser(request, charged);
    if (first.verdict === 'admitted') {
      if (user && first.sessionExtended) await prolongSession(user, appId, request.identities.ip ?? '');
      return { admission: first, user };
    }
    // On a user's first call and after a flush of Redis: ask MySQL, then admit again and store the session's copy.
    const known = session as SessionToken;
    const truth = await findSession(known, appId);
    const check = request.session as ReturnType<typeof sessionCheck>;
    if (!truth.alive) {
      if (first.state === 'lease') await markEnded(request.requestId, check.sessionKey, truth);
      throw new AppError(truth.code);
    }
    const proven: AdmissionRequest = {
      ...request,
      session: {
        mode: 'proven',
        sessionKey: check.sessionKey,
        userKey: check.userKey,
        ...(first.state === 'lease' && { fill: truth.fill }),
      },
    };
    const second = await admit(proven);
    if (second.verdict !== 'admitted') throw new Error('admission did not accept a proven session');
    charged.admitted ??= second;
    return { admission: second, user: truth.user };
  } catch (error) {
    if (error instanceof AdmissionUnanswered) charged.unanswered = error;
    if (!(error instanceof EngineError) || error.engine !== 'redis' || request.unsafe) throw error;
    return passWithoutRedis(request, session, charged);
  }
}

/**
 * The answer of admission, and the user from the session's copy. undefined: the call has no session, or the session is
 * not in Redis. An unreadable copy is deleted and the request is sent again; the second one is not charged.
 */
async function admitWithUser(
  request: AdmissionRequest,
  charged: Charged,
): Promise<[Admission, CurrentUser | undefined]> {
  for (let attempt = 1; attempt <= 2; attempt++) {
    const answer = await admit(request);
    if (answer.verdict === 'admitted') charged.admitted ??= answer;
    if (!request.session || answer.verdict !== 'admitted') return [answer, undefined];
    const user = userFromCopy(answer.session);
    if (user) return [answer, user];
    await dropCopy(request.session.sessionKey, answer.session);
  }
  throw new EngineError('redis', 'session copy unreadable', 'not-applied');
}

/**
 * Redis is down, read route: session and record come from MySQL, with a circuit breaker and a limit on concurrent
 * loads. Replay cannot be checked, so only GET passes. Each lock rule follows its own `onError`. Redis is down, write
 * route: 503.
 */
async function passWithoutRedis(request: AdmissionRequest, session: SessionToken | undefined, charged: Charged) {
  const admission = admitWithoutRedis(request);
  charged.admitted = admission;
  let user: CurrentUser | undefined;
  if (session) {
    const truth = await withLoadCap(() => findSession(session, request.token.appId));
    if (!truth.alive) throw new AppError(truth.code);
    user = truth.user;
  }
  return { admission, user };
}
