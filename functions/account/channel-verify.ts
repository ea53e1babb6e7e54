import * as v from 'valibot';
import { accountOfChannel } from '../../shared/account/first-login.ts';
import { findChannel } from '../../shared/channel/channel.ts';
import { findFirstString } from '../../shared/channel/first-string.ts';
import { exchangeFirstString } from '../../shared/channel/second-string.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { accountAddress, text } from '../../shared/http/login-inputs.ts';
import { channelRules } from '../../shared/lock/guessing.ts';

/** Unix seconds as in the access_token: exactly 10 digits, a string or an integer. */
const timeStamp = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform(String),
  v.regex(/^[1-9][0-9]{9}$/, 'expected 10 digits'),
);

/** Rows C2 to C5: checks the digest, finds or creates the account, returns the login list. */
export const channelVerify = endpoint(
  {
    route: 'POST /login/channel/verify',
    auth: 'app',
    scope: 'login',
    open: 'open:channel',
    body: v.strictObject({
      accountAddress,
      digest: text(128),
      timeStamp,
      digestMethod: v.optional(v.picklist(['MD5', 'HMAC-SHA256']), 'MD5'),
    }),
    rules: channelRules,
    identities: ({ body }) => ({ account: body.accountAddress }),
  },
  async ({ app, body, succeeded }) => {
    const { channelUser, random } = await findFirstString(app.appId, body);
    const { loginList } = await findChannel(channelUser.channel);
    const { created } = await accountOfChannel({ ...channelUser, address: body.accountAddress }, app.appId);
    const second = await exchangeFirstString(app.appId, body.accountAddress, random, loginList);
    await succeeded();
    return { account: body.accountAddress, created, loginList, ...second };
  },
);
