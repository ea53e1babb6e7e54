import * as v from 'valibot';
import { findAccount } from '../../shared/account/account.ts';
import { changePassword } from '../../shared/account/change-password.ts';
import { logIn } from '../../shared/account/log-in.ts';
import { verifyPassword } from '../../shared/account/password.ts';
import { resetPassword } from '../../shared/account/password-reset.ts';
import { renewHash } from '../../shared/account/renew-hash.ts';
import { AppError, invalidInput } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { text } from '../../shared/http/login-inputs.ts';
import { remembered } from '../../shared/http/remembered.ts';
import { ownPassword, passwordRules, resetRules } from '../../shared/lock/guessing.ts';
import { accountName, isOwnName, NOT_THE_NAME, newPassword, password } from './credentials.ts';

export const passwordLogin = endpoint(
  {
    route: 'POST /login',
    auth: 'app',
    scope: 'login',
    open: 'open:password',
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
    if (verdict === 'outdated') await renewHash(account, body.password, caller);
    const login = await logIn(account, app.appId, { ip, ...call });
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
    rules: ownPassword.rules,
  },
  async ({ app, body, ip, succeeded, user }) => {
    if (isOwnName(body.newPassword, user.account)) {
      await succeeded();
      throw invalidInput({ path: 'newPassword', message: NOT_THE_NAME });
    }
    await changePassword(app.appId, user, { former: body.oldPassword, next: body.newPassword, address: ip });
    await succeeded();
  },
);

/** The token has 256 bits and cannot be guessed; the limits keep strangers from asking MySQL. */
export const passwordReset = endpoint(
  {
    route: 'POST /login/reset',
    auth: 'app',
    scope: 'login',
    open: 'open:password',
    success: 'no-content',
    body: v.strictObject({ resetToken: text(128), password: newPassword }),
    rules: resetRules,
  },
  async ({ body: { resetToken, password: next }, ip, succeeded }) => {
    const check = async (account: string | null): Promise<void> => {
      if (!isOwnName(next, account)) return;
      await succeeded();
      throw invalidInput({ path: 'password', message: NOT_THE_NAME });
    };
    await resetPassword({ resetToken, password: next, check, address: ip });
    await succeeded();
  },
);
