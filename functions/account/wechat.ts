import * as v from 'valibot';
import { accountOfWechat } from '../../shared/account/first-login.ts';
import { logIn } from '../../shared/account/log-in.ts';
import { phoneOf } from '../../shared/account/phone.ts';
import { accountWithPhone } from '../../shared/account/phone-login.ts';
import { AppError } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { wechatCode } from '../../shared/http/login-inputs.ts';
import { remembered } from '../../shared/http/remembered.ts';
import { phoneCodes, wechatRules } from '../../shared/lock/guessing.ts';
import { WECHAT_CALLERS } from '../../shared/lock/known-caller.ts';
import { exchangeRead, withWechatPerson } from '../../shared/wechat/exchange.ts';
import { miniProgramOf, miniProgramsRead } from '../../shared/wechat/mini-program.ts';
import { exchangePhoneCode, phoneExchangeRead } from '../../shared/wechat/phone-number.ts';

export const wechatLogin = endpoint(
  {
    route: 'POST /login/wechat',
    auth: 'app',
    scope: 'login',
    open: 'open:wechat',
    body: v.strictObject({ code: wechatCode, phoneCode: v.optional(wechatCode) }),
    rules: wechatRules,
    targets: ({ body }) => (body.phoneCode === undefined ? [] : [phoneCodes]),
    identities: ({ body }) => ({ account: WECHAT_CALLERS, resource: body.code }),
    reads: ({ body: { code, phoneCode } }, { app }) => [
      exchangeRead(app.appId, code),
      miniProgramsRead(),
      ...(phoneCode === undefined ? [] : [phoneExchangeRead(app.appId, phoneCode)]),
    ],
  },
  async ({ app: { appId }, body: { code, phoneCode }, reads: [kept, programs, keptPhone], ...call }) => {
    const program = await miniProgramOf(call.leaseId, appId, programs);
    // Both codes were right.
    const noGuess = async (error: unknown): Promise<never> => {
      if (error instanceof AppError && error.code === 'IDENTITY_TAKEN') await call.succeeded();
      throw error;
    };
    const login = await withWechatPerson({ appId, code, program }, kept, async (person) => {
      if (phoneCode === undefined) return logIn((await accountOfWechat(person, appId)).account, appId, call);
      const exchange = async () =>
        phoneOf(await exchangePhoneCode({ appId, program, who: person.openid, kept: keptPhone }, phoneCode));
      return logIn(await accountWithPhone(person, exchange, appId).catch(noGuess), appId, call);
    });
    return remembered(login, WECHAT_CALLERS, { ...call, ip: undefined });
  },
);
