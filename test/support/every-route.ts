import { readServerlessFile } from '../../serve/http-api/serverless-file.ts';
import type { Scope } from '../../shared/app/app.ts';

/** All routes as a caller must know them. A route of serverless.yml without a row here fails the tests that go over all. */
export interface RouteRow {
  route: string;
  method: string;
  /** With its parameters filled in. */
  path: string;
  query?: string;
  /** What the route takes, in its right form; undefined: nothing. */
  body?: Record<string, unknown>;
  /** `none` and `provider` stand before no authorizer. */
  auth: 'none' | 'provider' | 'app' | 'user';
  scope?: Scope;
  v2Only: boolean;
  headers: Record<string, string>;
  /** The app's own permission for this path is more than its scope. */
  ownApp: boolean;
}

const row = (route: string, auth: RouteRow['auth'], rest: Partial<Omit<RouteRow, 'route' | 'auth'>> = {}): RouteRow => {
  const [method = '', path = ''] = route.split(' ');
  return { route, auth, method, path, v2Only: false, headers: {}, ownApp: false, ...rest };
};

const login = { scope: 'login' } as const;
const money = { scope: 'recharge' } as const;
const v2 = { v2Only: true } as const;
const once = { headers: { 'idempotency-key': 'every-route-0123456789' } };
/** Of an account address: nobody has it. */
const ADDRESS = `a1${'0'.repeat(40)}`;
const NOW = String(Math.floor(Date.now() / 1000));

export const everyRoute: readonly RouteRow[] = [
  row('GET /health', 'none'),
  row('POST /accounts', 'app', { ...login, ...v2, body: { account: 'somebody', password: 'long enough 1' } }),
  row('POST /login', 'app', { ...login, body: { account: 'somebody', password: 'not this one' } }),
  row('POST /login/wechat', 'app', { ...login, body: { code: 'a-code-nobody-gave' } }),
  row('POST /login/channel', 'app', { ...login, body: { channel: 'demo', channelUserId: 'u-1' } }),
  row('POST /login/channel/verify', 'app', {
    ...login,
    body: { accountAddress: ADDRESS, digest: '0'.repeat(32), timeStamp: NOW },
  }),
  row('POST /login/channel/enter', 'app', {
    ...login,
    body: { accountAddress: ADDRESS, secondString: 'x'.repeat(43), entry: { address: '127.0.0.1', port: 7000 } },
  }),
  row('GET /me', 'user', login),
  row('PUT /me', 'user', { ...login, body: { profile: { nickname: 'n' } } }),
  row('DELETE /me', 'user', { ...login, ...v2 }),
  row('PUT /me/password', 'user', {
    ...login,
    ...v2,
    body: { oldPassword: 'not this one', newPassword: 'long enough 2' },
  }),
  row('POST /logout', 'user', { ...login, body: { all: false } }),
  row('GET /sessions', 'user', login),
  row('DELETE /sessions/{id}', 'user', { ...login, path: `/sessions/${'0'.repeat(32)}` }),
  row('DELETE /sessions', 'user', login),
  row('POST /plugins/{pluginId}/token', 'user', { scope: 'plugin:issue', path: '/plugins/shop/token' }),
  row('POST /plugins/{pluginId}/validate', 'app', {
    scope: 'plugin:validate',
    path: '/plugins/shop/validate',
    ownApp: true,
    body: { pluginToken: 'p1.none' },
  }),
  row('GET /data/{resource}', 'app', { scope: 'data:read', path: '/data/notice', query: 'ids=1,2' }),
  row('GET /data/{resource}/{id}', 'user', { scope: 'data:read', path: '/data/voucher/1' }),
  row('GET /recharge/params', 'user', money),
  row('POST /recharge', 'user', { ...money, ...v2, ...once, body: { productId: 'coins-60', provider: 'sandbox' } }),
  row('GET /recharge', 'user', money),
  row('GET /recharge/{orderNo}', 'user', { ...money, path: '/recharge/R0000000000000000000000000000000' }),
  row('POST /recharge/{orderNo}/sync', 'user', { ...money, path: '/recharge/R0000000000000000000000000000000/sync' }),
  row('POST /recharge/notify/{provider}', 'provider', { path: '/recharge/notify/sandbox', body: {} }),
  row('GET /recharge/notify/{provider}', 'provider', { path: '/recharge/notify/xpay' }),
  row('GET /balance', 'user', money),
  row('GET /balance/entries', 'user', money),
  row('POST /balance/spend', 'user', { ...money, ...v2, ...once, body: { amount: 1 } }),
];

/** Behind the authorizer. */
export const signedRoutes = everyRoute.filter(({ auth }) => auth === 'app' || auth === 'user');

/** Route keys of serverless.yml, with whether an authorizer stands before them. */
export const declaredRoutes = (): Array<[route: string, guarded: boolean]> =>
  readServerlessFile('serverless.yml').routes.map(({ key, authorizer }) => [key, authorizer !== undefined]);
