import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

describe('logging in by WeChat', () => {
  let stack: TestStack;
  let app: TestApp;
  /** Log lines of the functions. */
  const lines: string[] = [];
  beforeAll(async () => {
    stack = await startTestStack({ env: { LOG: 'on' } });
    app = await stack.createApp();
    vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(String(line)));
  });
  afterEach(() => {
    stack.wechat.misbehave(null);
  });
  const logIn = (code: string) => stack.call(app, 'POST', '/login/wechat', { body: { code } });
  const newPerson = (): string => `openid-${randomBytes(6).toString('hex')}`;
  const BAD_CODE = { status: 401, body: { code: 'BAD_CREDENTIALS' } };
  const WECHAT_UNAVAILABLE = { status: 503, body: { code: 'UNAVAILABLE', retryable: true } };

  test('a code opens a session, and the same WeChat person gets the same user', async () => {
    const person = newPerson();
    const first = await logIn(stack.wechat.issueCode(person));
    expect(first).toMatchObject({ status: 200, body: { user: { account: null, profile: {} } } });
    const second = await logIn(stack.wechat.issueCode(person));
    expect(second.body.user).toEqual(first.body.user);
    expect(second.body.token).not.toBe(first.body.token);
    expect((await logIn(stack.wechat.issueCode(newPerson()))).body.user.userId).not.toBe(first.body.user.userId);
  });

  test('a code is valid once, and an invented code is refused', async () => {
    const code = stack.wechat.issueCode();
    const answers = await Promise.all([1, 2, 3].map(() => logIn(code)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
    expect(await logIn(code)).toMatchObject(BAD_CODE);
    expect(await logIn('made-up-code')).toMatchObject(BAD_CODE);
  });

  test('WeChat is asked at most five times about one code', async () => {
    const before = stack.wechat.calls();
    const answers: number[] = [];
    for (let i = 0; i < 7; i++) answers.push((await logIn('one-and-the-same')).status);
    expect(answers).toEqual([401, 401, 401, 401, 401, 429, 429]);
    expect(stack.wechat.calls() - before).toBe(5);
  });

  test('when WeChat is busy or limits calls the login answers WECHAT_BUSY, and the same code works afterwards', async () => {
    const code = stack.wechat.issueCode();
    stack.wechat.failNext(-1, 45011);
    for (let i = 0; i < 2; i++) {
      const busy = await logIn(code);
      expect(busy).toMatchObject({ status: 503, body: { code: 'WECHAT_BUSY', retryable: true } });
      expect(busy.headers.get('retry-after')).toBe('2');
    }
    expect(await logIn(code)).toMatchObject({ status: 200 });
  });

  test('the state of a user has a code of its own and causes no alarm; a wrong appid or secret of ours does', async () => {
    lines.length = 0;
    stack.wechat.failNext(40226, 50002);
    expect(await logIn(stack.wechat.issueCode())).toMatchObject({ status: 403, body: { code: 'WECHAT_USER_BLOCKED' } });
    expect(await logIn(stack.wechat.issueCode())).toMatchObject({ status: 401, body: { code: 'WECHAT_USER_LIMITED' } });
    expect(lines.join('\n')).toContain('wechat.user-limited');
    expect(lines.join('\n')).not.toContain('alarm');
    stack.wechat.failNext(40013, 40125, 99999);
    for (let i = 0; i < 3; i++) expect(await logIn(stack.wechat.issueCode())).toMatchObject(WECHAT_UNAVAILABLE);
    expect(lines.filter((line) => line.includes('"level":"alarm"'))).toHaveLength(3);
  });

  test('nobody is logged in when WeChat answers nonsense, breaks off or hangs', async () => {
    const faults = [
      { kind: 'answer', status: 200, body: '<html>' },
      { kind: 'answer', status: 200, body: {} },
      { kind: 'answer', status: 200, body: { openid: '../x' } },
      { kind: 'answer', status: 200, body: { openid: ['x'] } },
      { kind: 'answer', status: 500, body: { openid: 'somebody' } },
      { kind: 'refuse' },
      { kind: 'hang' },
    ] as const;
    for (const fault of faults) {
      stack.wechat.misbehave(fault);
      expect(await logIn(`code-${randomBytes(4).toString('hex')}`), JSON.stringify(fault)).toMatchObject(
        WECHAT_UNAVAILABLE,
      );
    }
  });

  test('20 first logins of one person at the same time create one user', async () => {
    const person = newPerson();
    const answers = await Promise.all(Array.from({ length: 20 }, () => logIn(stack.wechat.issueCode(person))));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(new Set(answers.map(({ body }) => body.user.userId)).size).toBe(1);
  });

  test('the session_key is neither in the answer nor in an engine', async () => {
    const sessionKey = randomBytes(16).toString('base64');
    const person = newPerson();
    stack.wechat.misbehave({ kind: 'answer', status: 200, body: { openid: person, session_key: sessionKey } });
    const answer = await logIn('any-code');
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain(sessionKey);
    expect(answer.text).not.toContain(person);
    const keys = await stack.redis.keys('*');
    const strings = await Promise.all(keys.map((key) => stack.redis.dump(key)));
    expect(strings.join('\n')).not.toContain(sessionKey);
    const [rows] = await stack.mysql.query('SELECT * FROM users');
    expect(JSON.stringify(rows)).not.toContain(sessionKey);
  });
});

describe('without WeChat settings', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ env: { WECHAT_APPID: '', WECHAT_SECRET: '' } });
  });

  test('the WeChat login says that it is not set up, and other logins work', async () => {
    const app = await stack.createApp();
    const wechat = await stack.call(app, 'POST', '/login/wechat', { body: { code: 'any-code' } });
    expect(wechat).toMatchObject({ status: 503, body: { detail: 'WeChat login is not set up here.' } });
    const password = await stack.call(app, 'POST', '/login', {
      body: { account: 'nobody', password: 'whatever-it-is' },
    });
    expect(password).toMatchObject({ status: 401 });
  });
});
