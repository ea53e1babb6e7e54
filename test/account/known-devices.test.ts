import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import { insertAccount, makeHashQuick, KNOWN_PASSWORD as PASSWORD } from '../support/known-accounts.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

interface LoginAnswer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  body: any;
  rule: string;
  retryAfter: number;
}

describe('a device that logged in before', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  const newAccount = async (): Promise<string> => (await insertAccount(stack.mysql, { quick: true })).account;

  /** A login from another source address. Every 127.x.y.z is this machine. */
  function logIn(ip: string, account: string, { mark = '', password = PASSWORD } = {}): Promise<LoginAnswer> {
    const body = JSON.stringify({ account, password });
    const headers = { ...stack.sign(app, 'POST', '/login', { body }), ...(mark && { 'device-mark': mark }) };
    return new Promise((resolve, reject) => {
      const options = { method: 'POST', headers, localAddress: ip };
      const outgoing = request(`${stack.url}/login`, options, async (incoming) => {
        let text = '';
        for await (const chunk of incoming) text += chunk;
        resolve({
          status: incoming.statusCode ?? 0,
          body: JSON.parse(text),
          rule: /^"([^"]+)"/.exec(String(incoming.headers['ratelimit-policy'] ?? ''))?.[1] ?? '',
          retryAfter: Number(incoming.headers['retry-after'] ?? 0),
        });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
  const guess = (ip: string, account: string, mark = '') =>
    logIn(ip, account, { mark, password: `guess-${randomBytes(4).toString('hex')}` });
  /** A login with the right password; the next wrong one is refused in a millisecond again. */
  async function known(ip: string, account: string, mark = ''): Promise<string> {
    const { status, body } = await logIn(ip, account, { mark });
    expect(status).toBe(200);
    await makeHashQuick(stack.mysql, account);
    return body.deviceMark;
  }
  /** Raises the counts that are `from` to `to`. */
  async function raise(from: number, to: number): Promise<void> {
    const keys = await stack.redis.keys('*:lock:count:*');
    for (const key of keys) {
      if ((await stack.redis.get(key)) === `0;${from}`) await stack.redis.set(key, `0;${to}`, 'KEEPTTL');
    }
  }

  test('gets a mark of 22 characters, and keeps it at its next logins, also to another account', async () => {
    const [account, other] = [await newAccount(), await newAccount()];
    const mark = await known('127.1.1.1', account);
    expect(mark).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(await known('127.1.1.1', account, mark)).toBe(mark);
    expect(await known('127.1.1.1', other, mark)).toBe(mark);
    expect(await known('127.1.1.1', account)).not.toBe(mark);
    for (const key of await stack.redis.keys('*:lock:device:*')) {
      expect(await stack.redis.ttl(key)).toBeGreaterThan(30 * 86_400);
    }
  });

  test('with a malformed or invented mark is an unknown device, and gets a mark of its own', async () => {
    const account = await newAccount();
    const mark = await known('127.1.2.1', account);
    const flipped = `${mark.slice(0, -2)}${mark.at(-2) === 'A' ? 'E' : 'A'}${mark.at(-1)}`;
    for (const wrong of ['x', 'a'.repeat(22), `${mark}a`, `${mark.slice(1)}!`, mark.toUpperCase(), flipped]) {
      const { status, body } = await logIn('127.1.2.1', account, { mark: wrong });
      expect(status, wrong).toBe(200);
      expect(body.deviceMark).not.toBe(wrong);
    }
  });

  test('is not locked out by failures of others: of its account, and at its address', async () => {
    const account = await newAccount();
    const mark = await known('127.1.3.1', account);
    for (let i = 0; i < 7; i++) await guess('127.1.3.9', account);
    await raise(7, 50);
    expect(await guess('127.1.3.8', account)).toMatchObject({ status: 429, rule: 'failures-by-account' });
    // The same address has its own lock, too.
    expect(await guess('127.1.3.9', account)).toMatchObject({ status: 429 });
    expect((await logIn('127.1.3.9', account, { mark })).status).toBe(200);
    expect((await logIn('127.1.3.7', account, { mark })).status).toBe(200);
    // The mark of another account helps nobody.
    const foreign = await known('127.1.3.6', await newAccount());
    expect(await logIn('127.1.3.7', account, { mark: foreign })).toMatchObject({ status: 429 });
  });

  test('is not locked out by wrong logins of invented names at the same address', async () => {
    const [account, stranger, other] = [await newAccount(), await newAccount(), await newAccount()];
    const mark = await known('127.1.4.2', account);
    await known('127.1.4.1', other);
    for (let i = 0; i < 7; i++) await guess('127.1.4.1', `nobody-${randomBytes(4).toString('hex')}`);
    await raise(7, 150);
    const refused = await logIn('127.1.4.1', stranger);
    expect(refused).toMatchObject({ status: 429, rule: 'failures-by-ip' });
    expect(refused.retryAfter).toBeLessThanOrEqual(60);
    expect((await logIn('127.1.4.1', account, { mark })).status).toBe(200);
    // A client that sends no mark is known by its address.
    expect((await logIn('127.1.4.1', other)).status).toBe(200);
  });

  test('is locked for 1 minute first, then for 2 minutes, when it keeps guessing itself', async () => {
    const account = await newAccount();
    const mark = await known('127.1.5.1', account);
    const waits: number[] = [];
    for (let lock = 0; lock < 2; lock++) {
      for (let i = 0; i < 5; i++) await guess('127.1.5.1', account, mark);
      await raise(5, 20);
      const refused = await guess('127.1.5.2', account, mark);
      expect(refused).toMatchObject({ status: 429, rule: 'failures-by-device' });
      waits.push(refused.retryAfter);
      for (const key of await stack.redis.keys('*:lock:count:*')) await stack.redis.del(key);
      // Another session of the process's memory: the denial is remembered for five seconds.
      await stack.api.reload();
    }
    expect(waits).toEqual([60, 120]);
  });

  test('that logs in again and again is limited too, at 60 logins a minute', async () => {
    const account = await newAccount();
    const mark = await known('127.1.6.1', account);
    for (let i = 0; i < 3; i++) await known('127.1.6.1', account, mark);
    await raise(3, 60);
    expect(await logIn('127.1.6.2', account, { mark })).toMatchObject({ status: 429, rule: 'logins-by-device' });
    expect((await logIn('127.1.6.3', account)).status).toBe(200);
  });

  test('may send its mark from a web page', async () => {
    const preflight = await fetch(`${stack.url}/login`, {
      method: 'OPTIONS',
      headers: {
        origin: 'http://localhost:5173',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'device-mark',
      },
    });
    expect(preflight.headers.get('access-control-allow-headers') ?? '').toContain('device-mark');
  });
});
