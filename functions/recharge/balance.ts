import * as v from 'valibot';
import type { ClientSpend } from '../../shared/app/app.ts';
import { AppError } from '../../shared/errors.ts';
import { Answer } from '../../shared/http/answer.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { pageMembers } from '../../shared/http/page-query.ts';
import { idempotencyHeader, perUser } from '../../shared/http/write-inputs.ts';
import { balanceFrom, balanceRead } from '../../shared/recharge/balance.ts';
import { ASSET } from '../../shared/recharge/catalogue.ts';
import { listEntries, readEntryCursor } from '../../shared/recharge/entry.ts';
import { REPLAYED, spend } from '../../shared/recharge/spend.ts';

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
  {
    route: 'GET /balance/entries',
    auth: 'user',
    scope: 'recharge',
    query: v.strictObject(pageMembers(readEntryCursor)),
  },
  async ({ app, user, query }) => listEntries(app.appId, user.userId, ASSET, query),
);

const reason = v.pipe(v.string(), v.minLength(1), v.maxLength(200), v.regex(/^[^\p{Cc}\p{Cs}]*$/u));
const item = v.strictObject({
  itemId: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/)),
  quantity: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(1_000)), 1),
});
const free = v.strictObject({
  amount: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  reason: v.optional(reason),
});

/** Where the server has the prices, a client cannot name one. Throws SCOPE_DENIED. */
function checkClientSpend(clientSpend: ClientSpend, isFree: boolean): void {
  if (clientSpend === 'off' || (isFree && clientSpend !== 'free')) throw new AppError('SCOPE_DENIED');
}

export const spendUnits = endpoint(
  {
    route: 'POST /balance/spend',
    auth: 'user',
    scope: 'recharge',
    v2Only: true,
    success: 'created',
    headers: idempotencyHeader,
    body: v.lazy((body) => (Object.hasOwn(Object(body), 'itemId') ? item : free)),
    lookup: ({ body }, app) => checkClientSpend(app.clientSpend, 'amount' in body),
    rules: [perUser('spend', 1_200)],
  },
  async ({ app, user, headers, body }) => {
    const { result, replayed } = await spend(app.appId, user.userId, headers.idempotencyKey, body);
    return replayed ? new Answer(result, REPLAYED) : result;
  },
);
