/** Values of a valid call that cannot be found from its schema. */
export interface RouteSample {
  /** Values for the names in the route's path. Default: `1`. */
  path?: Record<string, string>;
  query?: string;
  body?: Record<string, unknown>;
  /** Besides those that the schema needs. */
  headers?: Record<string, string>;
}

/** An account address that no user has. */
const ADDRESS = `a1${'0'.repeat(40)}`;
const NOW = String(Math.floor(Date.now() / 1000));
const orderNo = 'R0000000000000000000000000000000';
const userId = 'nobody0000000000000000';
const holdId = `H${'A'.repeat(31)}`;

/** A route without an entry is called with the simplest values that its schemas accept. */
export const ROUTE_SAMPLES: Record<string, RouteSample> = {
  'POST /accounts': { body: { account: 'somebody', password: 'long enough 1' } },
  'POST /login': { body: { account: 'somebody', password: 'not this one' } },
  'POST /login/wechat': { body: { code: 'a-code-nobody-gave' } },
  'POST /login/channel': { body: { channel: 'demo', channelUserId: 'u-1' } },
  'POST /login/channel/verify': { body: { accountAddress: ADDRESS, digest: '0'.repeat(32), timeStamp: NOW } },
  'POST /login/channel/enter': {
    body: { accountAddress: ADDRESS, secondString: 'x'.repeat(43), entry: { address: '127.0.0.1', port: 7000 } },
  },
  'DELETE /me': { body: { secondString: 'x'.repeat(43) } },
  'PUT /me': { body: { profile: { nickname: 'n' } } },
  'PUT /me/password': { body: { oldPassword: 'not this one', newPassword: 'long enough 2' } },
  'POST /logout': { body: { all: false } },
  'DELETE /sessions/{id}': { path: { id: '0'.repeat(32) } },
  'POST /plugins/{pluginId}/token': { path: { pluginId: 'shop' } },
  'POST /plugins/{pluginId}/validate': { path: { pluginId: 'shop' }, body: { pluginToken: 'p1.none' } },
  'GET /data/{resource}': { path: { resource: 'notice' }, query: 'ids=1,2' },
  'GET /data/{resource}/{id}': { path: { resource: 'voucher', id: '1' } },
  'POST /data/{resource}': { path: { resource: 'booking' }, body: { serviceId: '1', day: '2030-05-01', note: 'n' } },
  'PUT /data/{resource}/{id}': {
    path: { resource: 'booking', id: '1' },
    body: { day: '2030-05-02', note: 'n', status: 'requested' },
    headers: { 'if-match': '"1"' },
  },
  'DELETE /data/{resource}/{id}': { path: { resource: 'booking', id: '1' } },
  'POST /uploads': { body: { contentType: 'image/png', bytes: 1 } },
  'POST /recharge': { body: { productId: 'coins-60', provider: 'sandbox' } },
  'GET /recharge/{orderNo}': { path: { orderNo } },
  'POST /recharge/{orderNo}/sync': { path: { orderNo } },
  'POST /recharge/notify/{provider}': { path: { provider: 'sandbox' }, body: {} },
  'GET /recharge/notify/{provider}': { path: { provider: 'xpay' } },
  'POST /wechat/push/{wechatAppid}': { path: { wechatAppid: 'wx0000000000000000' }, body: {} },
  'GET /wechat/push/{wechatAppid}': { path: { wechatAppid: 'wx0000000000000000' } },
  'POST /balance/spend': { body: { amount: 1 } },
  'GET /wallets/{userId}': { path: { userId } },
  'GET /wallets/{userId}/entries': { path: { userId } },
  'POST /wallets/{userId}/spend': { path: { userId }, body: { amount: 1, reason: 'tea' } },
  'POST /wallets/{userId}/grant': { path: { userId }, body: { amount: 1, reason: 'gift' } },
  'POST /wallets/{userId}/holds': { path: { userId }, body: { amount: 1, reason: 'bid', seconds: 60 } },
  'POST /wallets/{userId}/holds/{holdId}/capture': { path: { userId, holdId } },
  'POST /wallets/{userId}/holds/{holdId}/release': { path: { userId, holdId } },
};
