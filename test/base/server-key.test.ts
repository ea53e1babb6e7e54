import { beforeAll, expect, test } from 'vitest';
import { channelDigest } from '../../client/channel-digest.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
});

async function logIn(channelUserId: string): Promise<{ created: boolean; account: string; userId: string }> {
  const start = await stack.call(app, 'POST', '/login/channel', { body: { channel: 'demo', channelUserId } });
  const { accountAddress, firstString } = start.body;
  const timeStamp = String(Math.floor(Date.now() / 1000));
  const digest = channelDigest('HMAC-SHA256', accountAddress, firstString, timeStamp);
  const body = { accountAddress, digest, timeStamp, digestMethod: 'HMAC-SHA256' };
  const verified = await stack.call(app, 'POST', '/login/channel/verify', { body });
  const { created, account, secondString, loginList } = verified.body;
  const entered = await stack.call(app, 'POST', '/login/channel/enter', {
    body: { accountAddress, secondString, entry: loginList[0] },
  });
  return { created, account, userId: entered.body.user.userId };
}

test('after SERVER_KEY was changed, a channel user logs in to the same account, which gets a new address', async () => {
  const first = await logIn('player-1');
  expect(first.created).toBe(true);
  // An address that was made with a former key: no login can compute it any more.
  const former = `a1${'f'.repeat(40)}`;
  await stack.mysql.execute('UPDATE users SET account_address = ? WHERE user_id = ?', [former, first.userId]);
  await stack.mysql.execute('UPDATE identities SET address = ? WHERE user_id = ?', [former, first.userId]);
  const logins = await Promise.all([logIn('player-1'), logIn('player-1')]);
  for (const login of logins) expect(login).toEqual({ ...first, created: false });
  const [rows] = await stack.mysql.query('SELECT account_address, address FROM users JOIN identities USING (user_id)');
  expect(rows).toEqual([{ account_address: first.account, address: first.account }]);
});
