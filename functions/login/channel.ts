import * as v from 'valibot';
import { findAccount, findOrCreateAccount, logIn } from '../../shared/account/account.ts';
import { confirmTicket, findChannel } from '../../shared/channel/channel.ts';
import {
  issueFirstString,
  issueSecondString,
  redeemFirstString,
  redeemSecondString,
} from '../../shared/channel/login.ts';
import { AppError } from '../../shared/errors.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { channelRules, knownCallerMark } from '../../shared/lock/guessing.ts';
import type { LockRule } from '../../shared/lock/rule.ts';

const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const address = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected an account address'));
const entry = v.strictObject({ address: text(255), port: v.pipe(v.number(), v.integer()) });
/** Unix seconds as in the access_token: exactly 10 digits, a string or an integer. */
const timeStamp = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform(String),
  v.regex(/^[1-9][0-9]{9}$/, 'expected 10 digits'),
);

/** By address too: nobody locks another user out by naming them. */
const starts: LockRule[] = [
  { name: 'starts-by-ip', by: ['ip'], limit: 600, windowSeconds: 60, count: 'call', onError: 'closed' },
  { name: 'starts-by-user', by: ['resource', 'ip'], limit: 120, windowSeconds: 60, count: 'call', onError: 'closed' },
];

/** C1. */
export const channelStart = endpoint(
  {
    route: 'POST /login/channel',
    auth: 'app',
    scope: 'login',
    body: v.strictObject({
      channel: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 _ -')),
      channelUserId: v.pipe(v.string(), v.regex(/^[^\s\p{C}]{1,128}$/u, 'expected 1 to 128 visible characters')),
      ticket: v.optional(text(4_096)),
    }),
    rules: starts,
    identities: ({ body }) => ({ resource: `${body.channel}:${body.channelUserId}` }),
  },
  async ({ app, body: { channel, channelUserId, ticket } }) => {
    await confirmTicket(await findChannel(channel), channelUserId, ticket);
    return issueFirstString(app.appId, { channel, channelUserId });
  },
);

/** C2-C5. */
export const channelVerify = endpoint(
  {
    route: 'POST /login/channel/verify',
    auth: 'app',
    scope: 'login',
    body: v.strictObject({
      accountAddress: address,
      digest: text(128),
      timeStamp,
      digestMethod: v.optional(v.picklist(['MD5', 'HMAC-SHA256']), 'MD5'),
    }),
    rules: channelRules,
    identities: ({ body }) => ({ account: body.accountAddress }),
  },
  async ({ app, body, ip, succeeded }) => {
    const channelUser = await redeemFirstString(app.appId, body);
    const { loginList } = await findChannel(channelUser.channel);
    const identity = { by: 'channel', ...channelUser, address: body.accountAddress } as const;
    const { created } = await findOrCreateAccount(identity, app.appId);
    const second = await issueSecondString(app.appId, body.accountAddress, loginList);
    await succeeded(knownCallerMark(body.accountAddress, ip));
    return { account: body.accountAddress, created, loginList, ...second };
  },
);

/** C6. */
export const channelEnter = endpoint(
  {
    route: 'POST /login/channel/enter',
    auth: 'app',
    scope: 'login',
    body: v.strictObject({ accountAddress: address, secondString: text(128), entry }),
    rules: channelRules,
    identities: ({ body }) => ({ account: body.accountAddress }),
  },
  async ({ app, body, device, ip, succeeded }) => {
    await redeemSecondString(app.appId, body.accountAddress, body.secondString, body.entry);
    const account = await findAccount({ by: 'address', address: body.accountAddress }, app.appId);
    if (!account) throw new AppError('LOGIN_INFO_MISMATCH');
    const login = await logIn(account, app.appId, device);
    await succeeded(knownCallerMark(body.accountAddress, ip));
    return login;
  },
);
