import * as v from 'valibot';
import { invalidInput } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { idempotencyHeader, perUser } from '../../shared/http/write-inputs.ts';
import type { LockRule } from '../../shared/lock/rule.ts';
import { placeOrder, placingReads } from '../../shared/recharge/place-order.ts';

const newOrder = v.strictObject({
  productId: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/)),
  provider: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,32}$/)),
  code: v.optional(v.pipe(v.string(), v.regex(/^[!-~]{1,128}$/))),
});

/** Only virtual payment takes a code of wx.login: its signature needs the session_key of this login. */
function checkCode(order: v.InferOutput<typeof newOrder>) {
  if ((order.provider === 'xpay') === (order.code !== undefined)) return order;
  const message = order.code === undefined ? 'expected a code of wx.login' : 'unknown member';
  throw invalidInput({ path: 'code', message });
}

/** Each wrong code is a question to WeChat, which uses the quota of the mini-program. */
const wrongCodes: LockRule = {
  name: 'wrong-codes',
  by: ['app', 'user', 'peer'],
  limit: 30,
  windowSeconds: 900,
  count: 'failure',
  onError: 'closed',
  appliesTo: ({ peer }) => peer !== undefined,
};

export const place = endpoint(
  {
    route: 'POST /recharge',
    auth: 'user',
    scope: 'recharge',
    v2Only: true,
    success: 'created',
    headers: idempotencyHeader,
    body: v.pipe(newOrder, v.transform(checkCode)),
    rules: [perUser('recharge-create', 600), wrongCodes],
    identities: ({ body }) => (body.code === undefined ? {} : { peer: 'wechat' }),
    reads: ({ body }) => placingReads(body.provider),
  },
  async ({ app, user, headers, body, reads, leaseId, succeeded }) => {
    const order = await placeOrder(app.appId, user, headers.idempotencyKey, body, { reads, leaseId });
    if (body.code !== undefined) await succeeded();
    return order;
  },
);
