import { randomBytes } from 'node:crypto';
import argon2 from 'hash-wasm/dist/argon2.umd.min.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { inTurn } from '../../shared/account/hash-queue.ts';
import { hashPassword, verifyPassword } from '../../shared/account/password.ts';
import { renewHash } from '../../shared/account/renew-hash.ts';
import { insertAccount, KNOWN_PASSWORD, QUICK_HASH } from '../support/known-accounts.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

describe('passwords', { timeout: 120_000 }, () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  const newName = (): string => `u-${randomBytes(6).toString('hex')}`;
  const register = (account: string, password: unknown) =>
    stack.call(app, 'POST', '/accounts', { body: { account, password } });
  const logIn = (account: string, password: string) =>
    stack.call(app, 'POST', '/login', { body: { account, password } });
  const refusedAt = (answer: { body: { errors?: Array<{ path: string }> } }) => answer.body.errors?.[0]?.path;

  test('have 8 to 256 characters', async () => {
    for (const password of ['', 'seven-7', 'x'.repeat(257), '八'.repeat(7), '𝒜'.repeat(257), 12_345_678, null, ['x']]) {
      const answer = await register(newName(), password);
      expect([answer.status, refusedAt(answer)], String(password).slice(0, 20)).toEqual([400, 'password']);
    }
    for (const password of ['eight-88', '😀'.repeat(256), '  spaces are kept  ']) {
      const account = newName();
      expect((await register(account, password)).status).toBe(201);
      expect((await logIn(account, password)).status).toBe(200);
      expect((await logIn(account, password.slice(0, -2))).status).toBe(401);
    }
  });

  test('of thousands of characters are refused as input, without a hash', async () => {
    expect((await logIn('somebody', 'x'.repeat(30_000))).body.code).toBe('INVALID_INPUT');
    expect((await logIn('somebody', 'x'.repeat(1_000_000))).body.code).toBe('TOO_LARGE');
  });

  test('are refused when they are common or equal to the account name', async () => {
    for (const password of ['password', 'PassW0rd', '12345678', 'iloveyou', 'woaini1314', '５２０１３１４５２０']) {
      const answer = await register(newName(), password);
      expect([answer.status, refusedAt(answer)], password).toEqual([400, 'password']);
    }
    const account = newName();
    const answer = await register(account, account.toUpperCase());
    expect([answer.status, refusedAt(answer)]).toEqual([400, 'password']);
    expect(answer.text).not.toContain(account.toUpperCase());
  });

  test('are compared up to their last character', async () => {
    const account = newName();
    const long = randomBytes(36).toString('hex');
    await register(account, `${long}-one-end`);
    expect((await logIn(account, `${long}-two-end`)).status).toBe(401);
    expect((await logIn(account, `${long}-one-end`)).status).toBe(200);
  });

  test('match in composed and decomposed Unicode, and are case-sensitive', async () => {
    const account = newName();
    await register(account, 'caf\u00e9-cr\u00e8me');
    expect((await logIn(account, 'cafe\u0301-cre\u0300me')).status).toBe(200);
    expect((await logIn(account, 'Caf\u00e9-Cr\u00e8me')).status).toBe(401);
    expect((await register(newName(), 'half \ud83d of a character')).status).toBe(400);
  });

  test('go with an account name of plain characters, so that no two names look alike', async () => {
    for (const account of [
      '\uff21dmin',
      'аdmin',
      'ab',
      'x'.repeat(65),
      'a b c',
      'a\u0000bc',
      '',
      `a1${'0'.repeat(40)}`,
    ]) {
      expect((await register(account, 'a-good-long-one')).status, account).toBe(400);
    }
  });

  test('are hashed with argon2id, and the next login renews a hash with old parameters', async () => {
    const account = newName();
    await register(account, 'first-of-its-kind');
    const hashOf = async (): Promise<string> => {
      const [rows] = await stack.mysql.query('SELECT password_hash FROM users WHERE account = ?', [account]);
      return (rows as Array<{ password_hash: string }>)[0]?.password_hash ?? '';
    };
    expect(await hashOf()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    const oldHash = await argon2.argon2id({
      password: 'first-of-its-kind',
      salt: randomBytes(16),
      hashLength: 32,
      outputType: 'encoded',
      memorySize: 4_096,
      iterations: 1,
      parallelism: 1,
    });
    await stack.mysql.query('UPDATE users SET password_hash = ? WHERE account = ?', [oldHash, account]);
    expect((await logIn(account, 'not-of-its-kind')).status).toBe(401);
    expect(await hashOf()).toBe(oldHash);
    await stack.resetCounters();
    expect((await logIn(account, 'first-of-its-kind')).status).toBe(200);
    expect((await stack.counters()).mysqlRequests).toBe(3);
    expect(await hashOf()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect((await logIn(account, 'first-of-its-kind')).status).toBe(200);
  });

  test.each([
    ['its caller has no place', 8, () => ({ address: '192.0.2.1', account: 'somebody' })],
    ['nobody has a place', 66, (i: number) => ({ address: `192.0.2.${i}`, account: `account-${i}` })],
  ])('with an old hash keep it when %s in the queue, and get a new one at the next login', async (_, most, of) => {
    const { account, userId } = await insertAccount(stack.mysql, { quick: true });
    const hashOf = async () => {
      const [rows] = await stack.mysql.query('SELECT password_hash FROM users WHERE account = ?', [account]);
      return (rows as Array<{ password_hash: string }>)[0]?.password_hash;
    };
    const renew = () => renewHash({ userId, passwordHash: QUICK_HASH }, KNOWN_PASSWORD, of(0));
    let leave = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const others = Array.from({ length: most }, (_, i) => inTurn(of(i), () => left));
    await renew();
    expect(await hashOf()).toBe(QUICK_HASH);
    leave();
    await Promise.all(others);
    await renew();
    expect(await hashOf()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect((await logIn(account, KNOWN_PASSWORD)).status).toBe(200);
  });

  test('wait in a queue to be hashed, and are refused with UNAVAILABLE when 64 are waiting', async () => {
    const caller = { address: '192.0.2.1', account: 'somebody' };
    const hash = await hashPassword('one-of-many-hashes', caller);
    const guess = (i: number) =>
      verifyPassword('not-this-password', QUICK_HASH, { address: `192.0.2.${i}`, account: `account-${i}` });
    const checks = Array.from({ length: 70 }, (_, i) => guess(i));
    const settled = await Promise.allSettled(checks);
    const refused = settled.filter((one) => one.status === 'rejected');
    expect(refused).toHaveLength(4);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'UNAVAILABLE' });
    expect(await verifyPassword('one-of-many-hashes', hash, caller)).toBe('right');
    expect(await verifyPassword('one-of-many-hashes', null, caller)).toBe('wrong');
    expect(await verifyPassword('one-of-many-hashes', 'not a hash', caller)).toBe('wrong');
  });
});
