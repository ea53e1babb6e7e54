import * as v from 'valibot';
import type { Proof, ProvingCall } from '../../shared/account/own-proof.ts';
import { AppError, type ErrorCode } from '../../shared/errors.ts';
import { wechatCode } from '../../shared/http/login-inputs.ts';
import { ownPassword, wechatCodes } from '../../shared/lock/guessing.ts';
import { WECHAT_CALLERS } from '../../shared/lock/known-caller.ts';
import type { LockTarget } from '../../shared/lock/rule.ts';
import type { CurrentUser } from '../../shared/session/session.ts';
import { exchangeRead } from '../../shared/wechat/exchange.ts';
import { miniProgramsRead } from '../../shared/wechat/mini-program.ts';
import { password } from './credentials.ts';

/** These calls change who may log in. A copied session must not do that, so a session is fresh or needs a proof. */
export const proof = v.optional(
  v.pipe(
    v.custom<object>((given) => !Array.isArray(given), 'expected an object'),
    v.strictObject({ password: v.optional(password), code: v.optional(wechatCode) }),
    v.check((given) => Object.keys(given).length <= 1, 'expected one proof'),
  ),
  {},
);

/** A wrong proof is counted together with the wrong passwords of PUT /me/password. */
export const proofTargets = ({ proof: given }: { proof: Proof }): LockTarget[] => [
  ...(Object.keys(given).length > 0 ? [ownPassword] : []),
  ...(given.code === undefined ? [] : [wechatCodes]),
];
/** Who a code of wx.login belongs to is not known yet: see WECHAT_CALLERS. */
export const proofIdentities = ({ proof: { code } }: { proof: Proof }) =>
  code === undefined ? {} : { resource: code, account: WECHAT_CALLERS };
export const proofReads = (appId: string, { code }: Proof) =>
  code === undefined ? [] : [exchangeRead(appId, code), miniProgramsRead()];

export const provingCall = (
  call: { app: { appId: string }; user: CurrentUser; ip: string; leaseId: string; body: { proof: Proof } },
  reads: ProvingCall['reads'],
): ProvingCall => {
  const { app, user, ip, leaseId, body } = call;
  return { appId: app.appId, user, proof: body.proof, ip, leaseId, reads };
};

export const ownSession = ({ app, user }: { app: { appId: string }; user: CurrentUser }) => ({
  appId: app.appId,
  userId: user.userId,
  sessionId: user.sessionId,
});

const REFUSALS: readonly ErrorCode[] = ['IDENTITY_TAKEN', 'LAST_IDENTITY', 'NOT_FOUND'];

/** Gives back the charge, unless the proof or the code was wrong. A link that is refused for another reason is no guess. */
export async function settled<T>(
  call: { succeeded(): Promise<void> },
  work: () => Promise<T>,
  refusals: readonly ErrorCode[] = REFUSALS,
): Promise<T> {
  try {
    const result = await work();
    await call.succeeded();
    return result;
  } catch (error) {
    const isNoGuess = error instanceof AppError && refusals.includes(error.code);
    if (isNoGuess) await call.succeeded();
    throw error;
  }
}
