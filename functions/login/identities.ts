import * as v from 'valibot';
import { linkPhone, linkWechat } from '../../shared/account/link.ts';
import { linkPassword } from '../../shared/account/link-password.ts';
import { shown, unlink } from '../../shared/account/own-identities.ts';
import { withFreshProof } from '../../shared/account/own-proof.ts';
import { phoneOf } from '../../shared/account/phone.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { wechatCode } from '../../shared/http/login-inputs.ts';
import { perUser } from '../../shared/http/write-inputs.ts';
import { ownPassword, phoneCodes, wechatCodes } from '../../shared/lock/guessing.ts';
import { WECHAT_CALLERS } from '../../shared/lock/known-caller.ts';
import { exchangeRead, withWechatPerson } from '../../shared/wechat/exchange.ts';
import { miniProgramOf, miniProgramsRead } from '../../shared/wechat/mini-program.ts';
import { exchangePhoneCode, phoneExchangeRead } from '../../shared/wechat/phone-number.ts';
import { accountName, isOwnName, NOT_THE_NAME, newPassword } from './credentials.ts';
import { ownSession, proof, proofIdentities, proofReads, proofTargets, provingCall, settled } from './proven-call.ts';

const linking = { auth: 'user', scope: 'login', v2Only: true, success: 'created' } as const;
const links = [perUser('links', 30)];

export const linkOwnWechat = endpoint(
  {
    ...linking,
    route: 'POST /me/identities/wechat',
    body: v.strictObject({ code: wechatCode, proof }),
    rules: links,
    targets: ({ body }) => [wechatCodes, ...proofTargets(body).filter((target) => target !== wechatCodes)],
    identities: ({ body }) => ({ resource: body.code, account: WECHAT_CALLERS }),
    reads: ({ body }, { app }) => [
      exchangeRead(app.appId, body.code),
      miniProgramsRead(),
      ...proofReads(app.appId, body.proof).slice(0, 1),
    ],
  },
  async (call) => {
    const { app, body, leaseId, reads } = call;
    const [kept, programs, keptProof] = reads;
    const program = await miniProgramOf(leaseId, app.appId, programs);
    const linked = await settled(call, () =>
      withFreshProof(provingCall(call, [keptProof, programs]), () =>
        withWechatPerson({ appId: app.appId, code: body.code, program, repeatable: true }, kept, (person) =>
          linkWechat(ownSession(call), person),
        ),
      ),
    );
    return shown(linked)[0];
  },
);

export const linkOwnPhone = endpoint(
  {
    ...linking,
    route: 'POST /me/identities/phone',
    body: v.strictObject({ phoneCode: wechatCode, proof }),
    rules: [...links, ...phoneCodes.rules],
    targets: ({ body }) => proofTargets(body),
    identities: ({ body }) => proofIdentities(body),
    reads: ({ body }, { app }) => [
      phoneExchangeRead(app.appId, body.phoneCode),
      miniProgramsRead(),
      ...proofReads(app.appId, body.proof).slice(0, 1),
    ],
  },
  async (call) => {
    const { app, body, leaseId, reads, user } = call;
    const [kept, programs, keptProof] = reads;
    const program = await miniProgramOf(leaseId, app.appId, programs);
    const linked = await settled(call, () =>
      withFreshProof(provingCall(call, [keptProof, programs]), async () => {
        const by = { appId: app.appId, program, who: user.userId, kept };
        return linkPhone(ownSession(call), phoneOf(await exchangePhoneCode(by, body.phoneCode)));
      }),
    );
    return shown(linked)[0];
  },
);

export const linkOwnPassword = endpoint(
  {
    ...linking,
    route: 'POST /me/identities/password',
    body: v.pipe(
      v.strictObject({ account: accountName, password: newPassword, proof }),
      v.forward(
        v.check(({ account, password: chosen }) => !isOwnName(chosen, account), NOT_THE_NAME),
        ['password'],
      ),
    ),
    rules: links,
    targets: ({ body }) => [ownPassword, ...proofTargets(body).filter((target) => target !== ownPassword)],
    identities: ({ body }) => proofIdentities(body),
    reads: ({ body }, { app }) => proofReads(app.appId, body.proof),
  },
  async (call) => {
    const { body, ip, reads, user } = call;
    const { account, password: chosen } = body;
    // The user's own name with another password: it may be a guess at the password.
    const refusals: ErrorCode[] = account === user.account ? [] : ['ACCOUNT_EXISTS'];
    const link = () => linkPassword(ownSession(call), { account, password: chosen, address: ip });
    return settled(call, () => withFreshProof(provingCall(call, reads), link), refusals);
  },
);

export const unlinkOwn = endpoint(
  {
    ...linking,
    route: 'DELETE /me/identities/{id}',
    success: 'no-content',
    path: v.object({ id: v.string() }),
    body: v.strictObject({ proof }),
    rules: links,
    targets: ({ body }) => proofTargets(body),
    identities: ({ body }) => proofIdentities(body),
    reads: ({ body }, { app }) => proofReads(app.appId, body.proof),
  },
  async (call) => {
    const { path, reads, user } = call;
    await settled(call, () =>
      withFreshProof(provingCall(call, reads), () => unlink(user.userId, path.id, ownSession(call))),
    );
  },
);
