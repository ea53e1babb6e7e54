import * as v from 'valibot';
import { findOrCreateAccount, logIn } from '../../shared/account/account.ts';
import { exchangeRead, withWechatPerson } from '../../shared/account/wechat-exchange.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import type { LockRule } from '../../shared/lock/rule.ts';

/** WeChat accepts a code once. This rule limits repeated calls with the same code. */
const sameCode: LockRule = {
  name: 'same-code',
  by: ['resource'],
  limit: 5,
  windowSeconds: 300,
  count: 'call',
  onError: 'closed',
};
const failures: LockRule = {
  name: 'failures-by-ip',
  by: ['ip'],
  limit: 200,
  windowSeconds: 900,
  lockSeconds: 900,
  count: 'failure',
  onError: 'closed',
};

export const wechatLogin = endpoint(
  {
    route: 'POST /login/wechat',
    auth: 'app',
    scope: 'login',
    body: v.strictObject({ code: v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,128}$/, 'expected a code of wx.login')) }),
    rules: [sameCode, failures],
    identities: ({ body }) => ({ resource: body.code }),
    reads: ({ body }, { app }) => [exchangeRead(app.appId, body.code)],
  },
  async ({ app, body: { code }, device, reads, succeeded }) => {
    const login = await withWechatPerson({ appId: app.appId, code }, reads[0], async (openid) => {
      const { account } = await findOrCreateAccount({ by: 'wechat', openid }, app.appId);
      return logIn(account, app.appId, device);
    });
    await succeeded();
    return login;
  },
);
