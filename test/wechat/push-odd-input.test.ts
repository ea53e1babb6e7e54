import { beforeAll, expect, test } from 'vitest';
import { newSender, nowSeconds, pusher, setPush } from '../support/push-sender.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let push: ReturnType<typeof pusher>;
beforeAll(async () => {
  stack = await startTestStack();
  const sender = newSender(stack.env.WECHAT_APPID);
  await setPush(stack, sender);
  push = pusher(stack, sender);
});

test('strangers who name mini-programs that do not exist cost no engine anything', async () => {
  const send = (i: number) => stack.send('POST', `/wechat/push/wxunknown${i}?timestamp=1&nonce=a`, {}, '<xml></xml>');
  await send(0);
  await stack.resetCounters();
  for (let i = 1; i < 20; i++) expect((await send(i)).status).toBe(404);
  const { redisRequests, mysqlRequests } = await stack.counters();
  expect({ redisRequests, mysqlRequests }).toEqual({ redisRequests: 0, mysqlRequests: 0 });
});

const base = { ToUserName: 'gh', FromUserName: 'o', MsgType: 'event', Event: 'user_authorization_revoke', AppID: 'x' };
for (const [name, more] of Object.entries({
  'an object as RevokeInfo': { RevokeInfo: { toString: 1, valueOf: 1 }, OpenID: 'o1' },
  'an object as CreateTime': { RevokeInfo: '6,8', OpenID: 'o1', CreateTime: { valueOf: 1, toString: 1 } },
  'a list as OpenID': { RevokeInfo: '6,8', OpenID: ['o1', 'o2'] },
  'a huge time': { RevokeInfo: '6,8', OpenID: 'o1', CreateTime: 1e308 },
  'a small time': { RevokeInfo: '6,8', OpenID: 'o1', CreateTime: 1e-300 },
  'a surrogate': { RevokeInfo: '6,8', OpenID: '\ud800' },
  'an event that is a number': { Event: 5 },
  'a prototype': { Event: '__proto__' },
})) {
  test(`${name} is no 500`, async () => {
    const answer = await push({ ...base, CreateTime: nowSeconds(), ...more } as never);
    expect(answer.status, answer.text).not.toBe(500);
  });
}
