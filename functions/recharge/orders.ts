import * as v from 'valibot';
import { endpoint } from '../../shared/http/endpoint.ts';
import { listOrders, ownOrder, shownOrder } from '../../shared/recharge/order.ts';
import { placeOrder, placingReads } from '../../shared/recharge/place-order.ts';
import { syncOrder } from '../../shared/recharge/sync.ts';
import { checkCode, checkedIdempotencyKey, pageQuery, perUser } from './rules.ts';

export const create = endpoint(
  {
    route: 'POST /recharge',
    auth: 'user',
    scope: 'recharge',
    v2Only: true,
    success: 'created',
    body: v.strictObject({
      productId: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/)),
      provider: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,32}$/)),
      code: v.optional(v.pipe(v.string(), v.regex(/^[!-~]{1,128}$/))),
    }),
    precheck: ({ idempotencyKey, body }) => {
      checkedIdempotencyKey(idempotencyKey);
      checkCode(body);
    },
    rules: [perUser('recharge-create', 600)],
    reads: ({ body }) => placingReads(body.provider),
  },
  async ({ app, user, body, idempotencyKey, reads, requestId }) =>
    placeOrder(app.appId, user, checkedIdempotencyKey(idempotencyKey), body, { reads, requestId }),
);

export const list = endpoint(
  { route: 'GET /recharge', auth: 'user', scope: 'recharge', query: pageQuery },
  async ({ app, user, query }) => listOrders(app.appId, user.userId, query),
);

const orderPath = v.object({ orderNo: v.string() });

export const read = endpoint(
  { route: 'GET /recharge/{orderNo}', auth: 'user', scope: 'recharge', path: orderPath },
  async ({ app, user, path }) => shownOrder(await ownOrder(app.appId, user.userId, path.orderNo)),
);

/** Asks the provider and credits when it was paid: no payment waits for its notice alone. */
export const sync = endpoint(
  {
    route: 'POST /recharge/{orderNo}/sync',
    auth: 'user',
    scope: 'recharge',
    path: orderPath,
    rules: [perUser('recharge-sync', 600)],
  },
  async ({ app, user, path }) => {
    const order = await ownOrder(app.appId, user.userId, path.orderNo);
    return shownOrder(await syncOrder(order));
  },
);
