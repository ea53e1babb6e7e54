import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { channelDigest } from '../../client/channel-digest.ts';
import type { GatewayFault } from '../../gateway/faults.ts';
import { deleteEndedReservations } from '../../shared/account/ended-rows.ts';
import { insertAccount, makeHashQuick, KNOWN_PASSWORD as PASSWORD } from '../support/known-accounts.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** DELETE /me cannot be undone: a session token alone, which may be copied, does not erase an account. */
const READ_ONLY: GatewayFault = {
  kind: 'status',
  status: 200,
  body: JSON.stringify({ error: { code: 'UNKNOWN', message: 'x (errno 1290) (sqlstate HY000)' } }),
};
const ENTRY = { address: '127.0.0.1', port: 7000 };
const NO_PROOF = { status: 401, body: { code: 'PROOF_REQUIRED', retryable: false } };

describe('erasing an account', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  const post = (path: string, body: unknown) => stack.call(app, 'POST', path, { body });
  const erase = (session: string, body?: unknown) => stack.call(app, 'DELETE', '/me', { session, body });
  const isAlive = async (session: string) => (await stack.call(app, 'GET', '/me', { session })).status === 200;

  async function passwordUser() {
    const { account } = await insertAccount(stack.mysql, { quick: true });
    const { token, user } = (await post('/login', { account, password: PASSWORD })).body;
    await makeHashQuick(stack.mysql, account);
    return { account, session: token as string, userId: user.userId as string };
  }
  async function wechatUser() {
    const openid = `openid-${randomBytes(6).toString('hex')}`;
    const session: string = (await post('/login/wechat', { code: stack.wechat.issueCode(openid) })).body.token;
    return { openid, session };
  }
  const channelUser = () => ({ channel: 'demo', channelUserId: randomBytes(6).toString('hex') });
  async function verified(user: { channel: string; channelUserId: string }) {
    const { accountAddress, firstString } = (await post('/login/channel', user)).body;
    const timeStamp = String(Math.floor(Date.now() / 1000));
    const digest = channelDigest('MD5', accountAddress, firstString, timeStamp);
    const { secondString } = (await post('/login/channel/verify', { accountAddress, digest, timeStamp })).body;
    return { accountAddress, secondString: secondString as string };
  }
  const enter = async (second: { accountAddress: string; secondString: string }): Promise<string> =>
    (await post('/login/channel/enter', { ...second, entry: ENTRY })).body.token;

  test('needs a proof: no body, an empty body and proofs of another kind or person erase nothing', async () => {
    const { session } = await passwordUser();
    const stranger = await verified(channelUser());
    const wrong = [
      undefined,
      {},
      { password: 'not-this-password' },
      { code: stack.wechat.issueCode() },
      { code: 'made-up-code' },
      { secondString: stranger.secondString },
      { secondString: 'x' },
    ];
    for (const body of wrong) expect(await erase(session, body), JSON.stringify(body)).toMatchObject(NO_PROOF);
    expect(await isAlive(session)).toBe(true);
    expect(await erase(session, { password: PASSWORD, code: 'a' })).toMatchObject({ status: 400 });
    expect(await erase(session, { proof: PASSWORD })).toMatchObject({ status: 400 });
    expect((await erase(session, { password: PASSWORD })).status).toBe(204);
    expect(await isAlive(session)).toBe(false);
  });

  test('by the code of a fresh wx.login works for the same person only', async () => {
    const { openid, session } = await wechatUser();
    expect(await erase(session, { code: stack.wechat.issueCode('openid-of-another') })).toMatchObject(NO_PROOF);
    expect(await erase(session, { password: PASSWORD })).toMatchObject(NO_PROOF);
    expect((await erase(session, { code: stack.wechat.issueCode(openid) })).status).toBe(204);
    expect(await isAlive(session)).toBe(false);
  });

  test('deletes the openid that orders keep, because it identifies a person', async () => {
    const { openid, session } = await wechatUser();
    const { userId } = (await stack.call(app, 'GET', '/me', { session })).body;
    await stack.mysql.execute(
      `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, amount_fen,
         currency, units, status, payer_openid) VALUES ('R234', ?, ?, 'coin', '', 'p', 'wechatpay', 1, 'CNY', 1, 'paid', ?)`,
      [app.appId, userId, openid],
    );
    expect((await erase(session, { code: stack.wechat.issueCode(openid) })).status).toBe(204);
    const [rows] = await stack.mysql.query("SELECT payer_openid FROM recharge_orders WHERE order_no = 'R234'");
    expect(rows).toEqual([{ payer_openid: null }]);
  });

  test('by the second string of a channel login works also after the string was used, for ten minutes', async () => {
    const user = channelUser();
    const second = await verified(user);
    const session = await enter(second);
    for (const key of await stack.redis.keys('*:session:channel-proof:*')) {
      expect(key).not.toContain(second.secondString);
      expect(await stack.redis.pttl(key)).toBeLessThanOrEqual(600_000);
    }
    expect(await erase(session, { secondString: (await verified(channelUser())).secondString })).toMatchObject(
      NO_PROOF,
    );
    expect((await erase(session, { secondString: second.secondString })).status).toBe(204);

    const next = await enter(await verified(user));
    expect((await erase(next, { secondString: second.secondString })).status).toBe(204);
    const third = await enter(await verified(user));
    const fresh = await verified(user);
    for (const key of await stack.redis.keys('*:session:channel-proof:*')) await stack.redis.del(key);
    expect(await erase(third, { secondString: fresh.secondString })).toMatchObject(NO_PROOF);
  });

  test('counts wrong passwords together with those of a password change', async () => {
    const { session } = await passwordUser();
    for (let i = 0; i < 5; i++) expect(await erase(session, { password: `wrong-guess-${i}` })).toMatchObject(NO_PROOF);
    for (let i = 0; i < 5; i++) {
      const body = { oldPassword: `wrong-guess-${i}`, newPassword: 'some-new-password' };
      expect(await stack.call(app, 'PUT', '/me/password', { session, body })).toMatchObject({ status: 401 });
    }
    const locked = await erase(session, { password: PASSWORD });
    expect(locked).toMatchObject({ status: 429, body: { code: 'LOCKED' } });
    expect(locked.headers.get('ratelimit-policy')).toContain('failures-by-user');
    // A call without a proof is no guess.
    expect(await erase(session, {})).toMatchObject(NO_PROOF);
  });

  test('reserves the account name for 30 days, for everybody and in every spelling', async () => {
    const { account, session, userId } = await passwordUser();
    expect((await erase(session, { password: PASSWORD })).status).toBe(204);
    const register = (name: string) => post('/accounts', { account: name, password: PASSWORD });
    for (const name of [account, account.toUpperCase()]) {
      expect(await register(name)).toMatchObject({ status: 409, body: { code: 'ACCOUNT_EXISTS' } });
    }
    const [rows] = await stack.mysql.query('SELECT * FROM reserved_accounts');
    expect(JSON.stringify(rows)).not.toContain(account);
    const [[row]] = (await stack.mysql.query(
      'SELECT TIMESTAMPDIFF(HOUR, NOW(3), MAX(ends_at)) AS hours FROM reserved_accounts',
    )) as unknown as [[{ hours: number }]];
    expect(row.hours).toBe(30 * 24 - 1);

    await stack.mysql.query('UPDATE reserved_accounts SET ends_at = NOW(3) - INTERVAL 1 SECOND');
    const again = await register(account);
    expect(again.status).toBe(201);
    expect(again.body.userId).not.toBe(userId);
    expect(await deleteEndedReservations()).toBeGreaterThan(0);
  });

  test('by codes of wx.login shares the budget of the mini-program with the login', async () => {
    const { session } = await passwordUser();
    const code = stack.wechat.issueCode('openid-of-another');
    const answers = [];
    for (let i = 0; i < 6; i++) answers.push(await erase(session, { code }));
    expect(answers.at(-1)).toMatchObject({ status: 429, body: { code: 'LOCKED' } });
    expect(await stack.call(app, 'POST', '/login/wechat', { body: { code } })).toMatchObject({ status: 429 });
  });

  test('with MySQL down answers 503, erases nothing, and the same proof works afterwards', async () => {
    const { openid, session } = await wechatUser();
    const code = stack.wechat.issueCode(openid);
    await isAlive(session);
    stack.faults.mysql = ({ sql = '' }) => (sql.startsWith('UPDATE users') ? READ_ONLY : undefined);
    expect((await erase(session, { code })).status).toBe(503);
    stack.faults.mysql = undefined;
    expect((await erase(session, { code })).status).toBe(204);
  });
});

describe('registering an account', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });

  test('with a name that users would trust is answered as for a name that is taken', async () => {
    const app = await stack.createApp();
    for (const account of [
      'admin',
      'ROOT',
      'system',
      'Administrator',
      'ad.min',
      '-support-',
      'operator@',
      'a_d_m_i_n',
      'adm1n',
      '5upp0rt',
      'wechat',
    ]) {
      const answer = await stack.call(app, 'POST', '/accounts', { body: { account, password: PASSWORD } });
      expect(answer, account).toMatchObject({ status: 409, body: { code: 'ACCOUNT_EXISTS' } });
    }
    const free = await stack.call(app, 'POST', '/accounts', {
      body: { account: 'administrative', password: PASSWORD },
    });
    expect(free.status).toBe(201);
  });

  test('needs the scope register, and a login does not', async () => {
    const app = await stack.createApp({ scopes: ['login'] });
    const body = { account: 'somebody-new', password: PASSWORD };
    expect(await stack.call(app, 'POST', '/accounts', { body })).toMatchObject({
      status: 403,
      body: { code: 'SCOPE_DENIED' },
    });
    expect((await stack.call(app, 'POST', '/login', { body })).status).toBe(401);
    const registrar = await stack.createApp({ scopes: ['register'] });
    expect((await stack.call(registrar, 'POST', '/accounts', { body })).status).toBe(201);
  });

  test('a new password may not be the name of the account, and this is not counted as a guess', async () => {
    const app = await stack.createApp();
    const account = `name-${randomBytes(6).toString('hex')}`;
    await stack.call(app, 'POST', '/accounts', { body: { account, password: PASSWORD } });
    const { token } = (await stack.call(app, 'POST', '/login', { body: { account, password: PASSWORD } })).body;
    const change = (newPassword: string) =>
      stack.call(app, 'PUT', '/me/password', { session: token, body: { oldPassword: PASSWORD, newPassword } });
    for (let i = 0; i < 12; i++) {
      const answer = await change(i % 2 ? account : account.toUpperCase());
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'newPassword' }] } });
    }
    expect((await change(`${account}-and-more`)).status).toBe(204);
  });
});
