import * as v from 'valibot';
import { endpoint } from '../../shared/http/endpoint.ts';
import { pageMembers } from '../../shared/http/page-query.ts';
import { idempotencyHeader, perUser } from '../../shared/http/write-inputs.ts';
import { readEntryCursor } from '../../shared/recharge/entry.ts';
import { grant as grantUnits } from '../../shared/recharge/grant.ts';
import { isLotEnd, LAST_END } from '../../shared/recharge/lot-end.ts';
import { spendByServer } from '../../shared/recharge/spend.ts';
import { readWallet, walletEntries } from '../../shared/recharge/user-wallet.ts';
import { answerOf, namedUser, reason, units, userPath } from './inputs.ts';

/** The wallet of a user, for a server app that has the scope. */
export const read = endpoint(
  { route: 'GET /wallets/{userId}', auth: 'app', scope: 'wallet:read', v2Only: true, path: userPath },
  async ({ app, path }) => readWallet(app.walletAppId, path.userId),
);

export const entries = endpoint(
  {
    route: 'GET /wallets/{userId}/entries',
    auth: 'app',
    scope: 'wallet:read',
    v2Only: true,
    path: userPath,
    query: v.strictObject({
      ...pageMembers(readEntryCursor),
      ref: v.optional(v.pipe(v.string(), v.regex(/^[!-~]{1,64}$/))),
    }),
  },
  async ({ app, path, query: { ref, ...page } }) => walletEntries(app.walletAppId, path.userId, page, ref),
);

export const spend = endpoint(
  {
    route: 'POST /wallets/{userId}/spend',
    auth: 'app',
    scope: 'wallet:write',
    v2Only: true,
    success: 'created',
    path: userPath,
    headers: idempotencyHeader,
    body: v.strictObject({ amount: units, reason }),
    identities: namedUser,
    rules: [perUser('wallet-write', 1_200)],
  },
  async ({ app, path, headers, body }) =>
    answerOf(await spendByServer(app.walletAppId, path.userId, headers.idempotencyKey, body)),
);

const end = v.pipe(v.string(), v.check(isLotEnd, `expected a time up to ${LAST_END}`));

export const grant = endpoint(
  {
    route: 'POST /wallets/{userId}/grant',
    auth: 'app',
    scope: 'wallet:grant',
    v2Only: true,
    success: 'created',
    path: userPath,
    headers: idempotencyHeader,
    body: v.strictObject({ amount: units, reason, expiresAt: v.optional(end) }),
    identities: namedUser,
    rules: [perUser('wallet-write', 1_200)],
  },
  async ({ app, path, headers, body }) =>
    answerOf(await grantUnits(app.walletAppId, path.userId, headers.idempotencyKey, body)),
);
