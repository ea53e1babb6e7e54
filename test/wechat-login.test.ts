import { beforeAll, describe, expect, test } from 'vitest';
import { startTestStack, type TestApp, type TestStack } from './stack.ts';

describe('logging in by WeChat', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });
  const logIn = (code: string) => stack.call(app, 'POST', '/login/wechat', { body: { code } });

  test('a code becomes a session, and the same person is the same user', async () => {
    const first = await logIn(stack.wechat.issueCode('openid-of-ann'));
    expect(first).toMatchObject({ status: 200, body: { user: { account: null, profile: {} } } });
    const second = await logIn(stack.wechat.issueCode('openid-of-ann'));
    expect(second.body.user).toEqual(first.body.user);
    expect(second.body.token).not.toBe(first.body.token);
  });
});
