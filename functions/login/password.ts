import * as v from 'valibot';
import { findAccount, logIn, renewPasswordHash } from '../../shared/account/account.ts';
import { changePassword } from '../../shared/account/change.ts';
import { hashPassword, verifyPassword } from '../../shared/account/password.ts';
import { AppError } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { ownPasswordFailures, passwordRules } from '../../shared/lock/guessing.ts';
import { accountName, newPassword, password } from './credentials.ts';
import { remembered } from './remembered.ts';

export const passwordLogin = endpoint(
  {
    route: 'POST /login',
    auth: 'app',
    scope: 'login',
    body: v.strictObject({ account: accountName, password }),
    rules: passwordRules,
    identities: ({ body }) => ({ account: body.account }),
  },
  async ({ app, body, ip, ...call }) => {
    const account = await findAccount({ by: 'account', account: body.account }, app.appId);
    // An unknown account costs a hash, too: neither the answer nor the time differs from a wrong password.
    const caller = { address: ip, account: body.account };
    const verdict = await verifyPassword(body.password, account?.passwordHash ?? null, caller);
    // A wrong password is counted: the call was charged on arrival, and only succeeded() gives that back.
    if (!account || verdict === 'wrong') throw new AppError('BAD_CREDENTIALS');
    if (verdict === 'outdated') {
      await renewPasswordHash(account.userId, account.passwordHash ?? '', await hashPassword(body.password, caller));
    }
    const login = await logIn(account, app.appId, call.device);
    return remembered(login, body.account, { ip, ...call });
  },
);

export const passwordChange = endpoint(
  {
    route: 'PUT /me/password',
    auth: 'user',
    scope: 'login',
    v2Only: true,
    success: 'no-content',
    body: v.strictObject({ oldPassword: password, newPassword }),
    rules: [ownPasswordFailures],
  },
  async ({ app, body, ip, succeeded, user }) => {
    await changePassword(app.appId, user, { former: body.oldPassword, next: body.newPassword, address: ip });
    await succeeded();
  },
);
