import * as v from 'valibot';
import { findAccount } from '../../shared/account/account.ts';
import { logIn } from '../../shared/account/log-in.ts';
import { withSecondString } from '../../shared/channel/second-string.ts';
import { AppError } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { accountAddress, text } from '../../shared/http/login-inputs.ts';
import { remembered } from '../../shared/http/remembered.ts';
import { channelRules } from '../../shared/lock/guessing.ts';

const entry = v.strictObject({ address: text(255), port: v.pipe(v.number(), v.integer()) });

/** Row C6 (open the session): login with the second string. */
export const channelEnter = endpoint(
  {
    route: 'POST /login/channel/enter',
    auth: 'app',
    scope: 'login',
    open: 'open:channel',
    body: v.strictObject({ accountAddress, secondString: text(128), entry }),
    rules: channelRules,
    identities: ({ body }) => ({ account: body.accountAddress }),
  },
  async ({ app, body: { accountAddress: address, secondString, entry }, ...call }) => {
    const presented = { appId: app.appId, address, secondString, entry };
    const login = await withSecondString(presented, async () => {
      const account = await findAccount({ by: 'address', address }, app.appId);
      if (!account) throw new AppError('LOGIN_INFO_MISMATCH');
      return logIn(account, app.appId, call);
    });
    return remembered(login, address, call);
  },
);
