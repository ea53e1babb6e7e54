import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { channelDigest } from '../../client/channel-digest.ts';
import { atTime, wholeSecond } from '../support/clock.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

type Start = { accountAddress: string; firstString: string; expiresAt: string };
const now = (): number => Math.floor(Date.now() / 1000);

describe('logging in through a channel', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });
  afterEach(() => {
    stack.faults.mysql = undefined;
  });

  const post = (path: string, body: unknown, caller = app) => stack.call(caller, 'POST', path, { body });
  const newChannelUser = () => ({ channel: 'demo', channelUserId: randomBytes(6).toString('hex') });
  const start = async (user = newChannelUser()): Promise<Start> => (await post('/login/channel', user)).body;
  function digestOf(start: Start, method: 'MD5' | 'HMAC-SHA256' = 'MD5', stamp: number | string = now()) {
    const { accountAddress, firstString } = start;
    const digest = channelDigest(method, accountAddress, firstString, String(stamp));
    return { accountAddress, digest, timeStamp: stamp, digestMethod: method };
  }
  const verify = (body: unknown, caller = app) => post('/login/channel/verify', body, caller);
  const enter = (accountAddress: string, secondString: string, entry: unknown = ENTRY, caller = app) =>
    post('/login/channel/enter', { accountAddress, secondString, entry }, caller);
  const ENTRY = { address: '127.0.0.1', port: 7000 };
  const MISMATCH = { status: 401, body: { code: 'LOGIN_INFO_MISMATCH' } };

  test('both verification strings open a session, and a second login finds the same account', async () => {
    const user = newChannelUser();
    const first = await start(user);
    expect(Date.parse(first.expiresAt) - Date.now()).toBeLessThanOrEqual(120_000);
    const verified = await verify(digestOf(first));
    const { accountAddress } = first;
    expect(verified).toMatchObject({
      status: 200,
      body: { account: accountAddress, created: true, loginList: [ENTRY] },
    });
    const login = await enter(accountAddress, verified.body.secondString);
    expect(login).toMatchObject({ status: 200, body: { user: { account: accountAddress, profile: {} } } });
    expect((await stack.call(app, 'GET', '/me', { session: login.body.token })).body).toEqual(login.body.user);

    const again = await start(user);
    expect(again.accountAddress).toBe(accountAddress);
    const historic = await verify(digestOf(again, 'HMAC-SHA256'));
    expect(historic.body).toMatchObject({ account: accountAddress, created: false });
    const second = await enter(accountAddress, historic.body.secondString);
    expect(second.body.user.userId).toBe(login.body.user.userId);
  });

  test('a first string is valid once', async () => {
    const first = await start();
    expect((await verify(digestOf(first))).status).toBe(200);
    expect(await verify(digestOf(first))).toMatchObject(MISMATCH);
    const another = await start();
    const answers = await Promise.all(Array.from({ length: 20 }, () => verify(digestOf(another))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('a wrong digest is refused and does not use up the first string', async () => {
    const first = await start();
    const right = digestOf(first);
    const wrong = [
      { ...right, digest: 'f'.repeat(32) },
      { ...right, digest: right.digest.toUpperCase() },
      { ...right, digest: `${right.digest}0` },
      { ...right, digestMethod: 'HMAC-SHA256' },
      { ...right, timeStamp: (right.timeStamp as number) - 1 },
      { ...digestOf({ ...first, firstString: '' }) },
      { ...digestOf({ ...first, firstString: `${first.firstString.slice(0, -1)}_` }) },
    ];
    for (const body of wrong) expect(await verify(body)).toMatchObject(MISMATCH);
    expect((await verify(right)).status).toBe(200);
  });

  test('a time stamp more than five minutes off is a mismatch, a malformed one is invalid input', async () => {
    const first = await start();
    const at = wholeSecond();
    for (const skew of [-301, 301, -86_400]) {
      const answer = await atTime(at, () => verify(digestOf(first, 'MD5', at / 1000 + skew)));
      expect(answer, `${skew} s`).toMatchObject(MISMATCH);
    }
    for (const skew of [-300, 300]) {
      const another = await start();
      const answer = await atTime(at, () => verify(digestOf(another, 'MD5', at / 1000 + skew)));
      expect(answer.status, `${skew} s`).toBe(200);
    }
    const one = String(now()).slice(0, 9);
    for (const stamp of [
      'NaN',
      '',
      one,
      `0${one}`,
      `${now()}0`,
      `${now()}.0`,
      ` ${now()}`,
      '１７６７２２５６００',
      -1,
    ]) {
      expect(await verify(digestOf(first, 'MD5', stamp)), String(stamp)).toMatchObject({ status: 400 });
    }
    expect((await verify(digestOf(first, 'MD5', String(now())))).status).toBe(200);
  });

  test('a first string is valid only for its account and app, and until it expires', async () => {
    const [mine, theirs] = [await start(), await start()];
    expect(await verify({ ...digestOf(mine), accountAddress: theirs.accountAddress })).toMatchObject(MISMATCH);
    expect(await verify(digestOf({ ...mine, accountAddress: theirs.accountAddress }))).toMatchObject(MISMATCH);
    expect(await verify(digestOf(mine), await stack.createApp())).toMatchObject(MISMATCH);
    for (const key of await stack.redis.keys('*:session:channel-first:*')) {
      expect(await stack.redis.pttl(key)).toBeLessThanOrEqual(120_000);
    }
    const [endsAt, theirEnd] = [Date.parse(mine.expiresAt), Date.parse(theirs.expiresAt)];
    expect(await atTime(endsAt, () => verify(digestOf(mine)))).toMatchObject(MISMATCH);
    expect((await atTime(theirEnd - 1, () => verify(digestOf(theirs)))).status).toBe(200);
  });

  test('eight first strings are valid at a time, and a ninth replaces the oldest', async () => {
    const user = newChannelUser();
    const starts: Start[] = [];
    for (let i = 0; i < 9; i++) starts.push(await start(user));
    expect(await verify(digestOf(starts[0] as Start))).toMatchObject(MISMATCH);
    for (const one of starts.slice(1)) expect((await verify(digestOf(one))).status).toBe(200);
  });

  test('50 first logins at the same time create one account, and one of them reports it as created', async () => {
    const user = newChannelUser();
    // An app has at most eight valid strings for a user, so the 50 logins use seven apps.
    const apps = await Promise.all(Array.from({ length: 7 }, () => stack.createApp()));
    const starts = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const caller = apps[index % 7] as TestApp;
        return [caller, (await post('/login/channel', user, caller)).body] as const;
      }),
    );
    const answers = await Promise.all(starts.map(([caller, first]) => verify(digestOf(first), caller)));
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(answers.filter(({ body }) => body.created)).toHaveLength(1);
    const [rows] = await stack.mysql.query('SELECT COUNT(*) AS accounts FROM users WHERE account_address = ?', [
      answers[0]?.body.account,
    ]);
    expect(rows).toEqual([{ accounts: 1 }]);
  });

  test('an account is reported as created when the answer of MySQL was lost', async () => {
    const first = await start();
    let lost = 0;
    stack.faults.mysql = ({ sql = '' }) =>
      sql.startsWith('INSERT INTO users') && lost++ === 0 ? { kind: 'drop-after' } : undefined;
    expect((await verify(digestOf(first))).body).toMatchObject({ created: true });
    expect(lost).toBeGreaterThan(1);
  });

  test('a second string is valid once, for its own account, app and entry', async () => {
    const user = newChannelUser();
    const first = await start(user);
    const { secondString } = (await verify(digestOf(first))).body;
    const { accountAddress } = first;
    const stranger = await start();
    expect(await enter(stranger.accountAddress, secondString)).toMatchObject(MISMATCH);
    expect(await enter(accountAddress, secondString, ENTRY, await stack.createApp())).toMatchObject(MISMATCH);
    expect(await enter(accountAddress, secondString, { ...ENTRY, port: 7001 })).toMatchObject(MISMATCH);
    expect(await enter(accountAddress, secondString, { ...ENTRY, address: 'evil.example' })).toMatchObject(MISMATCH);
    expect(await enter(accountAddress, first.firstString)).toMatchObject(MISMATCH);
    const answers = await Promise.all([1, 2, 3, 4].map(() => enter(accountAddress, secondString)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401]);
  });

  test('after five wrong second strings the right one is refused too', async () => {
    const first = await start();
    const { secondString } = (await verify(digestOf(first))).body;
    for (let i = 0; i < 5; i++) expect(await enter(first.accountAddress, `wrong-${i}`)).toMatchObject(MISMATCH);
    expect(await enter(first.accountAddress, secondString)).toMatchObject(MISMATCH);
  });

  test('a second string expires after five minutes, and Redis holds neither string in clear', async () => {
    const first = await start();
    const { secondString, expiresAt } = (await verify(digestOf(first))).body;
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(300_000);
    const kept = await start();
    const keys = await stack.redis.keys('*:session:channel-*');
    const stored = (await stack.redis.mget(keys)).join('\n');
    expect(stored).not.toContain(secondString);
    for (const { firstString } of [first, kept]) expect(stored).not.toContain(firstString);
    for (const key of keys.filter((name) => name.includes('channel-second'))) {
      const value = (await stack.redis.get(key)) ?? '';
      expect(await stack.redis.pttl(key)).toBeLessThanOrEqual(300_000);
      await stack.redis.set(key, value.replace(/\.\d+/g, `.${Date.now() - 1}`), 'KEEPTTL');
    }
    expect(await enter(first.accountAddress, secondString)).toMatchObject(MISMATCH);
  });

  test('after 60 wrong digests a right one from the same address is locked', async () => {
    const first = await start();
    for (let i = 0; i < 60; i++) await verify({ ...digestOf(first), digest: `${i % 10}`.repeat(32) });
    expect(await verify(digestOf(first))).toMatchObject({ status: 429, body: { code: 'LOCKED' } });
  });
});
