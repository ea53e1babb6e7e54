import * as v from 'valibot';
import { endpoint } from '../../shared/http/endpoint.ts';
import { idempotencyHeader, perUser } from '../../shared/http/write-inputs.ts';
import { captureHold, MAX_HOLD_SECONDS, placeHold, releaseHold } from '../../shared/recharge/hold.ts';
import { answerOf, namedUser, reason, units, userPath } from './inputs.ts';

const seconds = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(MAX_HOLD_SECONDS));

export const place = endpoint(
  {
    route: 'POST /wallets/{userId}/holds',
    auth: 'app',
    scope: 'wallet:write',
    v2Only: true,
    success: 'created',
    path: userPath,
    headers: idempotencyHeader,
    body: v.strictObject({ amount: units, reason, seconds }),
    identities: namedUser,
    rules: [perUser('wallet-write', 1_200)],
  },
  async ({ app, path, headers, body }) =>
    answerOf(await placeHold(app.walletAppId, path.userId, headers.idempotencyKey, body)),
);

const holdPath = v.object({ userId: v.string(), holdId: v.string() });

/** Repeated, it has the same answer: no key is needed. */
export const capture = endpoint(
  {
    route: 'POST /wallets/{userId}/holds/{holdId}/capture',
    auth: 'app',
    scope: 'wallet:write',
    v2Only: true,
    path: holdPath,
    body: v.strictObject({ amount: v.optional(units) }),
    identities: namedUser,
    rules: [perUser('wallet-write', 1_200)],
  },
  async ({ app, path, body }) => captureHold(app.walletAppId, path.userId, path.holdId, body.amount),
);

export const release = endpoint(
  {
    route: 'POST /wallets/{userId}/holds/{holdId}/release',
    auth: 'app',
    scope: 'wallet:write',
    v2Only: true,
    path: holdPath,
    identities: namedUser,
    rules: [perUser('wallet-write', 1_200)],
  },
  async ({ app, path }) => releaseHold(app.walletAppId, path.userId, path.holdId),
);
