import * as v from 'valibot';
import { accountOfWechat } from '../../shared/account/first-login.ts';
import { logIn } from '../../shared/account/log-in.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { wechatCode } from '../../shared/http/login-inputs.ts';
import { remembered } from '../../shared/http/remembered.ts';
import { wechatRules } from '../../shared/lock/guessing.ts';
import { WECHAT_CALLERS } from '../../shared/lock/known-caller.ts';
import { exchangeRead, withWechatPerson } from '../../shared/wechat/exchange.ts';
import { miniProgramOf, miniProgramsRead } from '../../shared/wechat/mini-program.ts';

export const wechatLogin = endpoint(
  {
    route: 'POST /login/wechat',
    auth: 'app',
    scope: 'login',
    open: 'open:wechat',
    body: v.strictObject({ code: wechatCode }),
    rules: wechatRules,
    identities: ({ body }) => ({ account: WECHAT_CALLERS, resource: body.code }),
    reads: ({ body }, { app }) => [exchangeRead(app.appId, body.code), miniProgramsRead()],
  },
  async ({ app, body: { code }, reads: [kept, programs], ...call }) => {
    const program = await miniProgramOf(call.leaseId, app.appId, programs);
    const login = await withWechatPerson({ appId: app.appId, code, program }, kept, async (person) => {
      const { account } = await accountOfWechat(person, app.appId);
      return logIn(account, app.appId, call);
    });
    return remembered(login, WECHAT_CALLERS, { ...call, ip: undefined });
  },
);
