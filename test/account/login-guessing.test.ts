import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { passwordRules } from '../../shared/lock/guessing.ts';
import { peekTarget } from '../../shared/lock/peek.ts';
import { insertAccount, makeHashQuick, KNOWN_PASSWORD as PASSWORD } from '../support/known-accounts.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** What `hash-wasm` uses of WebAssembly, which the types of Node do not contain. */
interface HashEngine {
  instantiate(module: unknown): Promise<{ exports: { memory: { buffer: ArrayBuffer } } }>;
}

describe('guessing passwords', { timeout: 120_000 }, () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  const newAccount = async (quick = true): Promise<string> => (await insertAccount(stack.mysql, { quick })).account;

  /** A login from another source address. Every 127.x.y.z is this machine. */
  function logInFrom(ip: string, account: string, password: string) {
    const body = JSON.stringify({ account, password });
    const headers = stack.sign(app, 'POST', '/login', { body });
    return new Promise<{ status: number; code: string; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
      const outgoing = request(
        `${stack.url}/login`,
        { method: 'POST', headers, localAddress: ip },
        async (incoming) => {
          let text = '';
          for await (const chunk of incoming) text += chunk;
          resolve({ status: incoming.statusCode ?? 0, code: JSON.parse(text).code, headers: incoming.headers });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
  const guess = (ip: string, account: string) => logInFrom(ip, account, `guess-${randomBytes(4).toString('hex')}`);

  /** Raises the counts of guesses from `from` to `to`. This saves the time of the password hashes. */
  async function raiseCount(from: number, to: number): Promise<void> {
    const keys = await stack.redis.keys('*:lock:count:*');
    const counts = await Promise.all(keys.map(async (key) => [key, await stack.redis.get(key)] as const));
    const raised = counts.filter(([, value]) => value === `0;${from}`);
    expect(raised.length).toBeGreaterThan(0);
    for (const [key] of raised) await stack.redis.set(key, `0;${to}`, 'KEEPTTL');
  }

  test('twenty wrong passwords lock the account for their address only', async () => {
    const account = await newAccount();
    for (let i = 0; i < 4; i++) await guess('127.0.1.1', account);
    await raiseCount(4, 19);
    expect(await guess('127.0.1.1', account)).toMatchObject({ status: 401 });
    const locked = await logInFrom('127.0.1.1', account, PASSWORD);
    expect(locked).toMatchObject({ status: 429, code: 'LOCKED' });
    expect(Number(locked.headers['retry-after'])).toBeGreaterThan(0);
    expect(locked.headers['ratelimit-policy']).toContain('failures-by-account-ip');
    expect(await logInFrom('127.0.1.2', account, PASSWORD)).toMatchObject({ status: 200 });
  });

  test('an account name that does not exist is locked like an existing one', async () => {
    const account = `nobody-${randomBytes(4).toString('hex')}`;
    for (let i = 0; i < 3; i++) await guess('127.0.2.1', account);
    await raiseCount(3, 19);
    const answers = [await guess('127.0.2.1', account), await guess('127.0.2.1', account)];
    expect(answers.map(({ status }) => status)).toEqual([401, 429]);
  });

  test('guesses from many addresses lock the account, but not for addresses that logged in to it before', async () => {
    const account = await newAccount();
    expect(await logInFrom('127.0.3.1', account, PASSWORD)).toMatchObject({ status: 200 });
    await makeHashQuick(stack.mysql, account);
    for (let i = 0; i < 7; i++) await guess(`127.0.3.${10 + i}`, account);
    await raiseCount(7, 50);
    const stranger = await guess('127.0.3.99', account);
    expect(stranger).toMatchObject({ status: 429, code: 'LOCKED' });
    expect(stranger.headers['ratelimit-policy']).toContain('failures-by-account"');
    for (let i = 0; i < 3; i++) {
      expect(await logInFrom('127.0.3.1', account, PASSWORD)).toMatchObject({ status: 200 });
      expect(await logInFrom('127.0.3.99', account, PASSWORD)).toMatchObject({ status: 429 });
    }
  });

  test('correct logins are not counted as guesses, however many there are', async () => {
    const account = await newAccount();
    for (let i = 0; i < 5; i++) await guess('127.0.4.1', account);
    await raiseCount(5, 19);
    for (let i = 0; i < 5; i++) expect((await logInFrom('127.0.4.1', account, PASSWORD)).status).toBe(200);
    // The correct logins were not counted: one more guess is answered, then the account is locked.
    await makeHashQuick(stack.mysql, account);
    expect((await guess('127.0.4.1', account)).status).toBe(401);
    expect((await logInFrom('127.0.4.1', account, PASSWORD)).status).toBe(429);
  });

  test('the login of a known address does not lower the count of guesses from other addresses', async () => {
    const account = await newAccount();
    await logInFrom('127.0.5.1', account, PASSWORD);
    await makeHashQuick(stack.mysql, account);
    for (let i = 0; i < 5; i++) await guess(`127.0.5.${10 + i}`, account);
    const target = { name: 'POST /login', rules: passwordRules };
    const used = async () => {
      const { rules } = await peekTarget(target, { account });
      return rules.find(({ rule }) => rule === 'failures-by-account')?.used;
    };
    expect(await used()).toBe(5);
    await logInFrom('127.0.5.1', account, PASSWORD);
    expect(await used()).toBe(5);
  });

  test('an unknown account costs the same hash as a wrong password', async () => {
    const account = await newAccount(false);
    const { WebAssembly } = globalThis as unknown as { WebAssembly: HashEngine };
    const instantiate = vi.spyOn(WebAssembly, 'instantiate');
    onTestFinished(() => instantiate.mockRestore());
    /** The memory of each hash function that one guess starts, in bytes. Counted, not timed: the machine is shared. */
    const memoryOf = async (name: string): Promise<number[]> => {
      instantiate.mockClear();
      expect(await guess('127.0.6.10', name)).toMatchObject({ status: 401, code: 'BAD_CREDENTIALS' });
      const started = await Promise.all(instantiate.mock.results.map(({ value }) => value));
      return started.map(({ exports }) => exports.memory.buffer.byteLength);
    };
    const wrong = await memoryOf(account);
    expect(Math.max(...wrong)).toBeGreaterThan(19_456 * 1024);
    expect(await memoryOf('nobody-0')).toEqual(wrong);
  });
});
