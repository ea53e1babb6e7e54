import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createClient, fetchTransport, type MiniappClient } from '../../client/miniapp-client.ts';
import { memoryStorage } from '../../client/storage.ts';
import { app, type ReceivedCall, type ScriptedAnswer, startServer } from '../support/client-server.ts';

let server: Awaited<ReturnType<typeof startServer>>;
let answer: (call: ReceivedCall) => ScriptedAnswer;
let client: MiniappClient;
const now = 1_767_225_600_000;

beforeAll(async () => {
  server = await startServer((call) => answer(call));
});
beforeEach(() => {
  const storage = memoryStorage();
  storage.set(`miniapp:${app.appId}:session`, 's1.u.secret');
  const transport = fetchTransport(fetch);
  client = createClient({ ...app, baseUrl: `${server.url}/`, transport, storage, language: 'zh', now: () => now });
  server.calls.length = 0;
});
afterAll(() => server.close());

const credentials = { account: 'demo', password: 'demo-password-1' };
const start = { accountAddress: 'a1', firstString: 'f1', expiresAt: '' };
const entry = { address: 'h', port: 1 };
const passwords = { oldPassword: 'old-password', newPassword: 'new-password' };

type Row = [route: string, body: unknown, call: () => Promise<unknown>];
const user: Row[] = [
  ['GET /me', null, () => client.me()],
  ['PUT /me', { profile: { n: 1 } }, () => client.updateProfile({ n: 1 })],
  ['GET /sessions', null, () => client.sessions()],
  ['POST /plugins/p/token', null, () => client.pluginToken('p')],
  ['GET /data/voucher/7', null, () => client.readOne('voucher', '7')],
  ['GET /data/voucher?ids=7%2C8', null, () => client.readMany('voucher', ['7', '8'])],
  ['GET /data/voucher?limit=20&list=mine', null, () => client.list('voucher', 'mine', { limit: 20 }).page()],
  ['POST /data/booking', { day: 'd' }, () => client.create('booking', { day: 'd' })],
  ['PUT /data/booking/7', { day: 'd' }, () => client.update('booking', '7', 1, { day: 'd' })],
  ['GET /me/identities', null, () => client.identities()],
  ['POST /me/identities/wechat', { code: 'c' }, () => client.linkWechat({ code: 'c' })],
  ['POST /me/identities/phone', { phoneCode: 'p' }, () => client.linkPhone({ phoneCode: 'p' })],
  ['POST /me/identities/password', credentials, () => client.linkPassword(credentials)],
  ['GET /me/export', null, () => client.exportData()],
  ['GET /recharge/params', null, () => client.rechargeParams()],
  [
    'POST /recharge',
    { productId: 'c', provider: 'sandbox' },
    () => client.recharge({ provider: 'sandbox', productId: 'c' }),
  ],
  ['GET /recharge', null, () => client.orders()],
  ['GET /recharge?after=x%3D', null, () => client.orders({ after: 'x=' })],
  ['GET /recharge/o1', null, () => client.order('o1')],
  ['POST /recharge/o1/sync', null, () => client.syncOrder('o1')],
  ['GET /balance', null, () => client.balance()],
  ['GET /balance/entries?after=9', null, () => client.entries({ after: '9' })],
  ['POST /balance/spend', { amount: 3 }, () => client.spend({ amount: 3 })],
  ['POST /balance/spend', { itemId: 'hat' }, () => client.spend({ itemId: 'hat' })],
];
const userWithoutContent: Row[] = [
  ['PUT /me/password', passwords, () => client.changePassword(passwords)],
  ['POST /logout', { all: true }, () => client.logout({ all: true })],
  ['POST /logout', {}, () => client.logout()],
  ['DELETE /me', { password: 'p' }, () => client.deleteAccount({ password: 'p' })],
  ['DELETE /me', { code: 'c', forfeit: true }, () => client.deleteAccount({ code: 'c', forfeit: true })],
  ['DELETE /sessions/s%3D1', null, () => client.revokeSession('s=1')],
  ['DELETE /sessions', null, () => client.revokeOtherSessions()],
  ['DELETE /data/booking/7', null, () => client.remove('booking', '7')],
];
const appOnly: Row[] = [
  ['POST /accounts', credentials, () => client.register(credentials)],
  ['POST /login', credentials, () => client.login(credentials)],
  ['POST /login/wechat', { code: 'c' }, () => client.loginWechat({ code: 'c' })],
  ['POST /login/wechat', { code: 'c', phoneCode: 'p' }, () => client.loginWechat({ code: 'c', phoneCode: 'p' })],
  [
    'POST /login/channel',
    { channel: 'demo', channelUserId: 'u' },
    () => client.startChannelLogin({ channel: 'demo', channelUserId: 'u' }),
  ],
  [
    'POST /login/channel/enter',
    { accountAddress: 'a1', secondString: 's', entry },
    () => client.enterChannel('a1', 's', entry),
  ],
  ['POST /plugins/p/validate', { pluginToken: 't' }, () => client.validatePluginToken('p', 't')],
];

async function sentBy([route, body, call]: Row): Promise<ReceivedCall> {
  await call();
  expect(server.calls).toHaveLength(1);
  const received = server.calls[0] as ReceivedCall;
  expect(`${received.method} ${received.url}`).toBe(route);
  expect(received.body === '' ? null : JSON.parse(received.body)).toEqual(body);
  expect(received.verified).toBe(true);
  expect(received.headers['accept-language']).toBe('zh');
  return received;
}

describe('each call of the SDK reaches its route with a v2 signature', () => {
  it.each(user)('%s sends the session', async (...row) => {
    answer = () => ({ status: 200, body: { token: 's1.u.next' } });
    const { headers, method, url } = await sentBy(row);
    expect(headers.authorization).toBe('Bearer s1.u.secret');
    const needsKey = method === 'POST' && ['/recharge', '/balance/spend', '/data/booking'].includes(url);
    expect(headers['idempotency-key'] !== undefined).toBe(needsKey);
  });

  it.each(userWithoutContent)('%s sends the session and expects no content', async (...row) => {
    answer = () => ({ status: 204 });
    expect((await sentBy(row)).headers.authorization).toBe('Bearer s1.u.secret');
  });

  it('POST /login/reset does not send the session and expects no content', async () => {
    answer = () => ({ status: 204 });
    const body = { resetToken: 't', password: 'p' };
    const { headers } = await sentBy(['POST /login/reset', body, () => client.resetPassword(body)]);
    expect(headers.authorization).toBeUndefined();
  });

  it.each(appOnly)('%s does not send the session', async (...row) => {
    answer = () => ({ status: 200, body: { token: 's1.u.next' } });
    expect((await sentBy(row)).headers.authorization).toBeUndefined();
  });
});

describe('the device mark', () => {
  const marksSent = () => server.calls.map(({ headers }) => headers['device-mark']);

  it('of a login is sent with the next logins, also after a logout, and with no other call', async () => {
    answer = ({ url }) =>
      url === '/logout'
        ? { status: 204 }
        : { status: 200, body: { token: 's1.u.next', deviceMark: 'mark-of-22-characters.' } };
    await client.login(credentials);
    await client.me();
    await client.logout();
    await client.login(credentials);
    await client.loginWechat({ code: 'c' });
    await client.enterChannel('a1', 's', entry);
    const mark = 'mark-of-22-characters.';
    expect(marksSent()).toEqual([undefined, undefined, undefined, mark, mark, mark]);
  });

  it('is left out after a login at a server that gives none', async () => {
    answer = () => ({ status: 200, body: { token: 's1.u.next' } });
    await client.login(credentials);
    await client.login(credentials);
    expect(marksSent()).toEqual([undefined, undefined]);
  });
});

describe('the login through a channel', () => {
  const answers: Record<string, unknown> = {
    '/login/channel': start,
    '/login/channel/verify': { account: 'a1', created: true, loginList: [entry], secondString: 's2', expiresAt: '' },
    '/login/channel/enter': { token: 's1.u.channel', expiresAt: '', user: { userId: 'u' } },
  };

  it('takes three steps, and sends a digest instead of the first string', async () => {
    answer = (call) => ({ status: 200, body: answers[call.url] });
    expect((await client.loginChannel({ channel: 'demo', channelUserId: 'u' })).token).toBe('s1.u.channel');
    expect(server.calls.map((call) => JSON.parse(call.body))).toEqual([
      { channel: 'demo', channelUserId: 'u' },
      {
        accountAddress: 'a1',
        digest: createHmac('sha256', 'f1').update('a1\n1767225600').digest('hex'),
        timeStamp: '1767225600',
        digestMethod: 'HMAC-SHA256',
      },
      { accountAddress: 'a1', secondString: 's2', entry },
    ]);
  });

  it('can use MD5, the older digest', async () => {
    answer = (call) => ({ status: 200, body: answers[call.url] });
    await client.verifyChannelLogin(start, 'MD5');
    expect(JSON.parse(server.calls[0]?.body ?? '')).toMatchObject({ digestMethod: 'MD5' });
    expect(JSON.parse(server.calls[0]?.body ?? '').digest).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('v1', () => {
  it('is used with SHA-1 where a call asks for it', async () => {
    answer = () => ({ status: 200, body: {} });
    await client.request('GET', '/data/notice/1', { signature: 'v1', session: false });
    expect(server.calls[0]?.token).toMatchObject({
      signatureMethod: 'SHA1',
      AppID: app.appId,
      timeStamp: '1767225600',
    });
  });
});
