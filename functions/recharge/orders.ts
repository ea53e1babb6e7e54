import * as v from 'valibot';
import { endpoint } from '../../shared/http/endpoint.ts';
import { pageMembers } from '../../shared/http/page-query.ts';
import { perUser } from '../../shared/http/write-inputs.ts';
import { listOrders, ownOrder, publicOrder, readOrderCursor } from '../../shared/recharge/order.ts';
import { syncOrder } from '../../shared/recharge/sync.ts';

export const list = endpoint(
  { route: 'GET /recharge', auth: 'user', scope: 'recharge', query: v.strictObject(pageMembers(readOrderCursor)) },
  async ({ app, user, query }) => listOrders(app.appId, user.userId, query),
);

const orderPath = v.object({ orderNo: v.string() });

export const read = endpoint(
  { route: 'GET /recharge/{orderNo}', auth: 'user', scope: 'recharge', path: orderPath },
  async ({ app, user, path }) => publicOrder(await ownOrder(app.appId, user.userId, path.orderNo)),
);

/** Asks the provider and credits the order if it was paid, also when its notification did not arrive. */
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
    return publicOrder(await syncOrder(order));
  },
);
