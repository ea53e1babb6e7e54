import { exportUser } from '../../shared/account/export.ts';
import { listIdentities } from '../../shared/account/own-identities.ts';
import { AppError } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import type { LockRule } from '../../shared/lock/rule.ts';

export const identityList = endpoint(
  { route: 'GET /me/identities', auth: 'user', scope: 'login' },
  async ({ user }) => ({ identities: await listIdentities(user.userId) }),
);

/** It reads every table that has rows of users. */
const exports: LockRule = {
  name: 'exports',
  by: ['user'],
  limit: 1,
  windowSeconds: 3_600,
  count: 'call',
  onError: 'closed',
};

export const exportMe = endpoint(
  { route: 'GET /me/export', auth: 'user', scope: 'login', rules: [exports] },
  async ({ user }) => {
    const exported = await exportUser(user.userId);
    if (!exported) throw new AppError('SESSION_REVOKED');
    return exported;
  },
);
