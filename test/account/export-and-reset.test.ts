import { beforeAll, describe, expect, test } from 'vitest';
import { makeResetToken } from '../../shared/account/password-reset.ts';
import { type IdentityWorld, startIdentityWorld } from '../support/identity-world.ts';
import { KNOWN_PASSWORD, QUICK_HASH } from '../support/known-accounts.ts';

let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld({ seeded: true });
});

describe('GET /me/export', () => {
  test('gives everything that is stored about the user at all apps, and no hash', async () => {
    const [person, number] = [world.newPerson(), '13911112222'];
    const member = await world.passwordMember();
    await world.link(member, 'wechat', { code: world.code(person) });
    await world.link(member, 'phone', { phoneCode: world.stack.wechat.issuePhoneCode({ number }) });
    const second = await world.wechatMember(person, world.other);
    await world.call(member, 'PUT', '/me', { profile: { nickname: 'Lan' } });
    const order = await world.stack.call(world.app, 'POST', '/recharge', {
      session: member.session,
      headers: { 'idempotency-key': 'export-export-0001' },
      body: { productId: 'coins-60', provider: 'sandbox' },
    });
    expect(order.status).toBe(201);
    const { status, body, text } = await world.call(second, 'GET', '/me/export');
    expect(status).toBe(200);
    expect(body).toMatchObject({ userId: member.userId, account: member.account, profile: { nickname: 'Lan' } });
    expect(body.identities.map(({ platform }: { platform: string }) => platform).sort()).toEqual([
      'password',
      'phone',
      'wechat',
      'wechat',
      'wechat-union',
    ]);
    expect(body.identities).toContainEqual(expect.objectContaining({ platform: 'phone', number: `+86${number}` }));
    expect(new Set(body.sessions.map(({ appId }: { appId: string }) => appId)).size).toBe(2);
    expect(body.orders).toEqual([expect.objectContaining({ orderNo: order.body.orderNo, amountFen: 600 })]);
    expect(Object.keys(body)).toEqual(expect.arrayContaining(['records', 'uploads', 'entries', 'refunds', 'fields']));
    expect(text).not.toContain('argon2');
    expect(text).not.toContain(QUICK_HASH);
  });

  test('is given once an hour, whatever the app', async () => {
    const member = await world.passwordMember();
    expect((await world.call(member, 'GET', '/me/export')).status).toBe(200);
    const refused = await world.call(member, 'GET', '/me/export');
    expect(refused).toMatchObject({ status: 429, body: { code: 'LOCKED' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3_000);
  });

  test('that failed because of us is not counted', async () => {
    const member = await world.passwordMember();
    await world.call(member, 'GET', '/me');
    world.stack.faults.mysql = ({ sql = '' }) => (sql.includes('ledger_entries') ? { kind: 'drop-before' } : undefined);
    try {
      expect((await world.call(member, 'GET', '/me/export')).status).toBe(503);
    } finally {
      world.stack.faults.mysql = undefined;
    }
    expect((await world.call(member, 'GET', '/me/export')).status).toBe(200);
  });
});

describe('POST /login/reset', () => {
  const NEXT = 'eleven-boats-under-rain';
  const reset = (resetToken: string, password = NEXT) =>
    world.stack.call(world.app, 'POST', '/login/reset', { body: { resetToken, password } });
  const logIn = (account: string, password: string) =>
    world.stack.call(world.app, 'POST', '/login', { body: { account, password } });
  const BAD = { status: 401, body: { code: 'BAD_CREDENTIALS' } };

  test('sets the password once, and ends all sessions', async () => {
    const member = await world.passwordMember();
    const { resetToken, expiresAt } = await makeResetToken(member.userId, 'operator');
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(1_800_000);
    expect((await reset(resetToken)).status).toBe(204);
    expect(await reset(resetToken, 'another-long-one-1')).toMatchObject(BAD);
    expect(await world.call(member, 'GET', '/me')).toMatchObject({ body: { code: 'SESSION_REVOKED' } });
    expect((await logIn(member.account, NEXT)).status).toBe(200);
    expect(await logIn(member.account, KNOWN_PASSWORD)).toMatchObject(BAD);
  });

  test('refuses a token that is invented, replaced or too old, and a password that is easy to guess', async () => {
    const member = await world.passwordMember();
    const replaced = await makeResetToken(member.userId, 'operator');
    const { resetToken } = await makeResetToken(member.userId, 'operator');
    for (const token of ['x', 'x'.repeat(43), replaced.resetToken]) expect(await reset(token)).toMatchObject(BAD);
    expect(await reset(resetToken, 'password1234')).toMatchObject({ status: 400 });
    expect(await reset(resetToken, member.account)).toMatchObject({ status: 400 });
    expect((await logIn(member.account, KNOWN_PASSWORD)).status).toBe(200);
    await world.stack.mysql.execute('UPDATE password_resets SET ends_at = NOW(3) - INTERVAL 1 SECOND');
    expect(await reset(resetToken)).toMatchObject(BAD);
  });

  test('with several calls at once, one sets the password', async () => {
    const member = await world.passwordMember();
    const { resetToken } = await makeResetToken(member.userId, 'operator');
    const passwords = ['a', 'b', 'c'].map((letter) => `${letter}-long-enough-for-all`);
    const answers = await Promise.all(passwords.map((password) => reset(resetToken, password)));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 401, 401]);
    const set = passwords[answers.findIndex(({ status }) => status === 204)];
    expect((await logIn(member.account, String(set))).status).toBe(200);
  });

  test('whose answer MySQL lost is applied once and answered as applied', async () => {
    const member = await world.passwordMember();
    const { resetToken } = await makeResetToken(member.userId, 'operator');
    let lost = 0;
    world.stack.faults.mysql = ({ sql = '' }) =>
      sql.startsWith('UPDATE users u JOIN password_resets') && lost++ === 0 ? { kind: 'drop-after' } : undefined;
    try {
      expect((await reset(resetToken)).status).toBe(204);
    } finally {
      world.stack.faults.mysql = undefined;
    }
    expect(lost).toBeGreaterThan(1);
    expect((await logIn(member.account, NEXT)).status).toBe(200);
  });

  test('is made for users with a password only, and MySQL has only a hash of the token', async () => {
    const member = await world.wechatMember(world.newPerson());
    await expect(makeResetToken(member.userId, 'operator')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(makeResetToken('nobody', 'operator')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { resetToken } = await makeResetToken((await world.passwordMember()).userId, 'operator');
    const [rows] = await world.stack.mysql.query('SELECT * FROM password_resets');
    expect(JSON.stringify(rows)).not.toContain(resetToken);
  });
});

describe('DELETE /me with something left', () => {
  test('is refused with the apps, unless the user gives it up', async () => {
    const member = await world.passwordMember();
    await world.stack.mysql.execute(
      `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra)
       VALUES (?, ?, 'coin', 1, 5, 5, 'grant', ?, 'promotion')`,
      [world.other.appId, member.userId, member.userId],
    );
    const proof = { password: KNOWN_PASSWORD };
    const refused = await world.call(member, 'DELETE', '/me', proof);
    expect(refused).toMatchObject({ status: 409, body: { code: 'WALLET_NOT_EMPTY' } });
    expect(refused.body.errors).toEqual([
      {
        path: 'forfeit',
        message: `app ${world.other.appId}: 5 units, 0 of them held, 0 open orders, 0 refunds in progress`,
      },
    ]);
    expect((await world.call(member, 'GET', '/me')).status).toBe(200);
    expect(await world.call(member, 'DELETE', '/me', { forfeit: true })).toMatchObject({ status: 401 });
    expect((await world.call(member, 'DELETE', '/me', { ...proof, forfeit: true })).status).toBe(204);
  });
});
