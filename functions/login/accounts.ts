import * as v from 'valibot';
import { createAccount, normalAccount } from '../../shared/account/account.ts';
import { hashPassword } from '../../shared/account/password.ts';
import { profileSchema } from '../../shared/account/profile.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { withNetworks } from '../../shared/lock/network-rules.ts';
import { accountName, newPassword } from './credentials.ts';

/** Enough for a whole campus behind one address, and too few for a script. */
const registrations = withNetworks(
  { name: 'registrations', by: ['ip'], limit: 200, windowSeconds: 600, count: 'call', onError: 'closed' },
  { net56: 400, net48: 800 },
);

export const register = endpoint(
  {
    route: 'POST /accounts',
    auth: 'app',
    scope: 'login',
    v2Only: true,
    success: 'created',
    body: v.pipe(
      v.strictObject({ account: accountName, password: newPassword, profile: v.optional(profileSchema, {}) }),
      v.forward(
        v.check(({ account, password }) => normalAccount(password) !== account, 'must not be the account'),
        ['password'],
      ),
    ),
    rules: registrations,
  },
  async ({ body: { account, password, profile }, ip }) => ({
    userId: await createAccount(account, await hashPassword(password, { address: ip, account }), profile),
  }),
);
