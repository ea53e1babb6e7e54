import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { channelDigest } from '../client/channel-digest.ts';
import { startTestStack, type TestApp, type TestStack } from './stack.ts';

const now = (): string => String(Math.floor(Date.now() / 1000));

describe('logging in through a channel', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  const post = (path: string, body: unknown, caller = app) => stack.call(caller, 'POST', path, { body });
  const someone = () => ({ channel: 'demo', channelUserId: randomBytes(6).toString('hex') });
  const digestOf = (
    start: { accountAddress: string; firstString: string },
    method: 'MD5' | 'HMAC-SHA256' = 'MD5',
    timeStamp = now(),
  ) => ({
    accountAddress: start.accountAddress,
    digest: channelDigest(method, start.accountAddress, start.firstString, timeStamp),
    timeStamp,
    digestMethod: method,
  });

  test('whoever holds both strings gets a session, and the account is made once', async () => {
    const user = someone();
    const start = (await post('/login/channel', user)).body;
    const verified = await post('/login/channel/verify', digestOf(start));
    expect(verified).toMatchObject({
      status: 200,
      body: { account: start.accountAddress, created: true, loginList: [{ address: '127.0.0.1', port: 7000 }] },
    });
    const { secondString, loginList } = verified.body;
    const enter = { accountAddress: start.accountAddress, secondString, entry: loginList[0] };
    const login = await post('/login/channel/enter', enter);
    expect(login).toMatchObject({ status: 200, body: { user: { account: start.accountAddress, profile: {} } } });
    expect((await stack.call(app, 'GET', '/me', { session: login.body.token })).body).toEqual(login.body.user);

    const again = (await post('/login/channel', user)).body;
    expect(again.accountAddress).toBe(start.accountAddress);
    const historic = await post('/login/channel/verify', digestOf(again, 'HMAC-SHA256'));
    expect(historic.body).toMatchObject({ account: start.accountAddress, created: false });
  });
});
