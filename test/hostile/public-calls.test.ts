import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { mintSession } from '../../shared/session/token.ts';
import { type PublicCall, publicHeaders, type SignedSession } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

const FORBIDDEN = '{"message":"Forbidden"}';
const read: PublicCall = { method: 'GET', path: '/data/notice/1' };
const now = (): number => Math.floor(Date.now() / 1000);

let stack: TestStack;
let world: PublicWorld;
let session: SignedSession;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  world = await publicWorld(stack);
  session = await world.logIn();
});

const send = ({ method, path, body }: PublicCall, headers: Record<string, string>) =>
  stack.send(method, path, headers, body === undefined ? undefined : JSON.stringify(body));

describe('a call that a session signed', () => {
  test('passes once: of 200 equal calls at the same time exactly one', async () => {
    const headers = publicHeaders(world.appId, session, read);
    const answers = await Promise.all(Array.from({ length: 200 }, () => send(read, headers)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'REPLAYED')).toHaveLength(199);
  });

  test('stamped 290 s ahead cannot be repeated while its time is in the window', async () => {
    const headers = publicHeaders(world.appId, session, { ...read, timeStamp: now() + 290 });
    expect((await send(read, headers)).status).toBe(200);
    expect((await send(read, headers)).body.code).toBe('REPLAYED');
    const ends = await Promise.all(
      (await stack.redis.keys('mpc:*:replay:*')).map((key) => stack.redis.pexpiretime(key)),
    );
    expect(Math.max(...ends) / 1000).toBeGreaterThanOrEqual(now() + 290 + 300);
  });

  test('is refused with another body, and stays good with its own', async () => {
    const call = { method: 'PUT', path: '/me', body: { profile: { city: 'Kunming' } } };
    const headers = publicHeaders(world.appId, session, call);
    const swapped = await send({ ...call, body: { profile: { city: 'Lijiang' } } }, headers);
    expect([swapped.status, swapped.body.code]).toEqual([401, 'BODY_HASH_MISMATCH']);
    const { 'x-content-sha256': _, ...withoutHash } = headers as Record<string, string>;
    expect((await send(call, withoutHash)).text).toBe(FORBIDDEN);
    expect((await send(call, headers)).status).toBe(200);
  });

  test('of one user with the bearer token of another acts as the one who signed', async () => {
    const other = await world.logIn();
    const [otherId = ''] = other.session.split('.');
    const { token, sessionId } = mintSession(world.appId, otherId);
    await stack.mysql.execute(
      `INSERT INTO sessions (app_id, user_id, session_id, user_version, idle_until, ends_at)
       VALUES (?, ?, ?, 1, NOW(3) + INTERVAL 1 DAY, NOW(3) + INTERVAL 1 DAY)`,
      [world.appId, otherId, sessionId],
    );
    for (const authorization of [`Bearer ${token}`, 'Bearer nonsense', '']) {
      const { body } = await world.call(session, 'GET', '/me', { headers: { authorization } });
      expect(body.userId).toBe(session.session.split('.')[0]);
    }
  });

  test('reads open data with the session of its app only while that lives', async () => {
    const ending = await world.logIn();
    expect((await world.call(ending, 'GET', read.path)).status).toBe(200);
    await world.call(ending, 'POST', '/logout', { body: {} });
    const refused = await world.call(ending, 'GET', read.path);
    expect([refused.status, refused.body.code]).toEqual([401, 'SESSION_REVOKED']);
  });

  test('moves money under the key that it signed, and repeats nothing', async () => {
    const idempotencyKey = randomBytes(16).toString('hex');
    const order = { body: { productId: 'coins-60', provider: 'sandbox' } };
    const headers = { 'idempotency-key': idempotencyKey };
    const first = await world.call(session, 'POST', '/recharge', { ...order, headers });
    const again = await world.call(session, 'POST', '/recharge', { ...order, headers });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body.orderNo).toBe(first.body.orderNo);
  });

  test('at a route that is no entry needs no opening, and at an entry it does', async () => {
    const shut = await publicWorld(stack);
    const opened = await shut.logIn();
    await stack.mysql.query(`UPDATE apps SET scopes = 'login,data:read', version = version + 1 WHERE app_id = ?`, [
      shut.appId,
    ]);
    await stack.flush();
    await stack.api.reload();
    expect((await shut.call(opened, 'GET', read.path)).status).toBe(200);
    const refused = await shut.login(shut.newPerson(), opened);
    expect([refused.status, refused.body.code]).toEqual([403, 'SCOPE_DENIED']);
    expect((await shut.call(undefined, 'GET', read.path)).body.code).toBe('LOGIN_REQUIRED');
  });
});

describe('a named call', () => {
  test('reads open data where the operator has opened it, and nothing of a user', async () => {
    expect((await world.call(undefined, 'GET', read.path)).status).toBe(200);
    expect((await world.call(undefined, 'GET', '/data/voucher/1')).body.code).toBe('LOGIN_REQUIRED');
    expect((await world.call(undefined, 'GET', '/me')).body.code).toBe('LOGIN_REQUIRED');
  });

  test('may be repeated: nothing signs it, and a repeated login is one more session', async () => {
    const [one, two] = [await world.call(undefined, 'GET', read.path), await world.call(undefined, 'GET', read.path)];
    expect([one.status, two.status]).toEqual([200, 200]);
    const account = { account: 'twice-registered', password: 'nine-owls-in-the-barn' };
    expect((await world.call(undefined, 'POST', '/accounts', { body: account })).status).toBe(201);
    const again = await world.call(undefined, 'POST', '/accounts', { body: account });
    expect([again.status, again.body.code]).toEqual([409, 'ACCOUNT_EXISTS']);
  });

  test('with made-up WeChat codes locks its address, not the app', async () => {
    const guess = (i: number) => world.call(undefined, 'POST', '/login/wechat', { body: { code: `made-up-${i}` } });
    let last = await guess(0);
    let guesses = 1;
    for (; last.body.code === 'BAD_CREDENTIALS' && guesses < 150; guesses++) last = await guess(guesses);
    expect([last.status, last.body.code]).toEqual([429, 'LOCKED']);
    expect(last.headers.get('ratelimit-policy')).toContain('failures-by-ip');
    expect(guesses).toBeGreaterThan(50);
    expect((await world.call(undefined, 'GET', read.path)).status).toBe(200);
  });

  test('with a hash of another body is refused, although nothing signed the hash', async () => {
    const call = { method: 'POST', path: '/login/wechat', body: { code: 'a-code' } };
    const headers = publicHeaders(world.appId, undefined, call);
    const swapped = await send({ ...call, body: { code: 'b-code' } }, headers);
    expect([swapped.status, swapped.body.code]).toEqual([401, 'BODY_HASH_MISMATCH']);
  });
});
