import * as v from 'valibot';
import { findAccount, logIn } from '../../shared/account/account.ts';
import { redeemSecondString } from '../../shared/channel/login.ts';
import { AppError } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { channelRules, knownCallerMark } from '../../shared/lock/guessing.ts';
import { accountAddress, text } from './channel-inputs.ts';

const entry = v.strictObject({ address: text(255), port: v.pipe(v.number(), v.integer()) });

/** Row C6 (open the session): login with the second string. */
export const channelEnter = endpoint(
  {
    route: 'POST /login/channel/enter',
    auth: 'app',
    scope: 'login',
    body: v.strictObject({ accountAddress, secondString: text(128), entry }),
    rules: channelRules,
    identities: ({ body }) => ({ account: body.accountAddress }),
  },
  async ({ app, body, device, ip, succeeded }) => {
    await redeemSecondString(app.appId, body.accountAddress, body.secondString, body.entry);
    const account = await findAccount({ by: 'address', address: body.accountAddress }, app.appId);
    if (!account) throw new AppError('LOGIN_INFO_MISMATCH');
    const login = await logIn(account, app.appId, device);
    await succeeded(knownCallerMark(body.accountAddress, ip));
    return login;
  },
);
