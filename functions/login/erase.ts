import * as v from 'valibot';
import { eraseAccount } from '../../shared/account/erase.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { text, wechatCode } from '../../shared/http/login-inputs.ts';
import { ownPassword, wechatCodes } from '../../shared/lock/guessing.ts';
import { WECHAT_CALLERS } from '../../shared/lock/known-caller.ts';
import { exchangeRead } from '../../shared/wechat/exchange.ts';
import { miniProgramsRead } from '../../shared/wechat/mini-program.ts';
import { password } from './credentials.ts';

const erasure = v.pipe(
  v.strictObject({
    password: v.optional(password),
    code: v.optional(wechatCode),
    secondString: v.optional(text(128)),
    forfeit: v.optional(v.boolean(), false),
  }),
  v.check(({ forfeit: _, ...proofs }) => Object.keys(proofs).length <= 1, 'expected one proof'),
);

export const eraseMe = endpoint(
  {
    route: 'DELETE /me',
    auth: 'user',
    scope: 'login',
    v2Only: true,
    success: 'no-content',
    body: erasure,
    // A wrong proof is a guess at the password, and is counted together with those of PUT /me/password.
    targets: ({ body }) => [
      ...(Object.keys(body).length > 1 ? [ownPassword] : []),
      ...(body.code === undefined ? [] : [wechatCodes]),
    ],
    identities: ({ body: { code } }) => (code === undefined ? {} : { resource: code, account: WECHAT_CALLERS }),
    reads: ({ body: { code } }, { app }) =>
      code === undefined ? [] : [exchangeRead(app.appId, code), miniProgramsRead()],
  },
  async ({ app, body: { forfeit, ...proof }, ip, leaseId, reads, succeeded, user }) => {
    await eraseAccount({ appId: app.appId, user, proof, forfeit, ip, leaseId, reads });
    await succeeded();
  },
);
