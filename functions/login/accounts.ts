import * as v from 'valibot';
import { createAccount } from '../../shared/account/account.ts';
import { hashPassword } from '../../shared/account/password.ts';
import { profileSchema } from '../../shared/account/profile.ts';
import { isReservedAccount } from '../../shared/account/reserved-names.ts';
import { AppError } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { withNetworks } from '../../shared/lock/network-rules.ts';
import { accountName, isOwnName, NOT_THE_NAME, newPassword } from './credentials.ts';

/** Enough for a whole campus behind one address, and too few for a script. */
const registrations = withNetworks(
  { name: 'registrations', by: ['ip'], limit: 200, windowSeconds: 600, count: 'call', onError: 'closed' },
  { net56: 400, net48: 800 },
);

export const register = endpoint(
  {
    route: 'POST /accounts',
    auth: 'app',
    scope: 'register',
    open: 'open:register',
    v2Only: true,
    success: 'created',
    body: v.pipe(
      v.strictObject({ account: accountName, password: newPassword, profile: v.optional(profileSchema, {}) }),
      v.forward(
        v.check(({ account, password }) => !isOwnName(password, account), NOT_THE_NAME),
        ['password'],
      ),
    ),
    rules: registrations,
  },
  async ({ body: { account, password, profile }, ip }) => {
    if (isReservedAccount(account)) throw new AppError('ACCOUNT_EXISTS');
    const passwordHash = await hashPassword(password, { address: ip, account });
    return { userId: await createAccount(account, passwordHash, profile) };
  },
);
