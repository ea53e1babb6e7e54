import * as v from 'valibot';
import { endpoint } from '../../shared/http/endpoint.ts';
import { idempotencyHeader, perUser } from '../../shared/http/write-inputs.ts';
import { balanceFrom, balanceRead } from '../../shared/recharge/balance.ts';
import { ASSET } from '../../shared/recharge/catalogue.ts';
import { listEntries, readEntryCursor } from '../../shared/recharge/ledger.ts';
import { spend } from '../../shared/recharge/spend.ts';
import { pageQuery } from './rules.ts';

export const balance = endpoint(
  {
    route: 'GET /balance',
    auth: 'user',
    scope: 'recharge',
    reads: (_, { app, userId = '' }) => [balanceRead(app.appId, userId)],
  },
  async ({ app, user, reads, leaseId }) => balanceFrom(leaseId, app.appId, user.userId, reads[0]),
);

export const entries = endpoint(
  { route: 'GET /balance/entries', auth: 'user', scope: 'recharge', query: pageQuery(readEntryCursor) },
  async ({ app, user, query }) => listEntries(app.appId, user.userId, ASSET, query),
);

export const spendUnits = endpoint(
  {
    route: 'POST /balance/spend',
    auth: 'user',
    scope: 'recharge',
    v2Only: true,
    success: 'created',
    headers: idempotencyHeader,
    body: v.strictObject({
      amount: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
      reason: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(200), v.regex(/^[^\p{Cc}\p{Cs}]*$/u))),
    }),
    rules: [perUser('spend', 1_200)],
  },
  async ({ app, user, headers, body }) => spend(app.appId, user.userId, headers.idempotencyKey, body),
);
