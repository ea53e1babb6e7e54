import { randomBytes, randomInt } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { withFreshProof } from '../../shared/account/own-proof.ts';
import { makeResetToken } from '../../shared/account/password-reset.ts';
import { newUserId } from '../../shared/session/token.ts';
import { type IdentityWorld, startIdentityWorld } from '../support/identity-world.ts';

/** Faults that a careful stranger would look for in the routes of identities. */
let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld({ seeded: true });
});

const sql = async (statement: string, values: unknown[] = []) =>
  (await world.stack.mysql.query(statement, values))[0] as Array<Record<string, unknown>>;

describe('vouchers, which have a value and an owner', () => {
  const giveVoucher = (userId: string) =>
    sql(
      'INSERT INTO vouchers (id, user_id, title, amount_fen, expires_at) VALUES (?, ?, ?, 5000, NOW(3) + INTERVAL 9 DAY)',
      [randomInt(1e9, 1e10), userId, 'fifty yuan'],
    );

  test('are not lost by absorbing', async () => {
    const person = world.newPerson();
    const owner = await world.wechatMember(person);
    await giveVoucher(owner.userId);
    const member = await world.passwordMember();
    const answer = await world.link(member, 'wechat', { code: world.code(person) });
    const list = await world.stack.call(world.app, 'GET', '/data/voucher', {
      query: 'list=mine',
      session: member.session,
    });
    if (answer.status === 201) expect(list.text).toContain('fifty yuan');
    else expect(answer.status).toBe(409);
  });

  test('are in the export', async () => {
    const member = await world.passwordMember();
    await giveVoucher(member.userId);
    expect((await world.call(member, 'GET', '/me/export')).text).toContain('fifty yuan');
  });
});

describe('a user of the former release, who has not logged in since', () => {
  test('and who has nothing else is absorbed', async () => {
    const openid = `o${randomBytes(8).toString('hex')}`;
    await sql("INSERT INTO users (user_id, profile, wechat_openid) VALUES (?, '{}', ?)", [newUserId(), openid]);
    const member = await world.passwordMember();
    const code = world.stack.wechat.issueCode({ openid, unionid: null });
    expect((await world.link(member, 'wechat', { code })).status).toBe(201);
  });

  test('and was erased by it: no phone number of the user stays', async () => {
    const person = world.newPerson();
    const member = await world.wechatMember(person);
    await world.link(member, 'phone', { phoneCode: world.stack.wechat.issuePhoneCode() });
    // The former release's statement leaves the rows of identities; nothing else deletes them, whatever time goes by.
    await sql('UPDATE users SET wechat_openid = NULL, erased_at = NOW(3) - INTERVAL 9 DAY WHERE user_id = ?', [
      member.userId,
    ]);
    await world.logIn(person);
    expect(await sql('SELECT platform FROM identities WHERE user_id = ?', [member.userId])).toEqual([]);
  });
});

describe('the form of a proof', () => {
  for (const proof of [
    null,
    [],
    '',
    0,
    'x',
    { password: null },
    { password: [] },
    { code: [] },
    { x: 1 },
    { code: 'é' },
  ]) {
    test(`${JSON.stringify(proof)} is refused as input`, async () => {
      const member = await world.passwordMember();
      const answer = await world.link(member, 'wechat', { code: world.code(world.newPerson()), proof });
      expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    });
  }
  test('a session that seems to be opened in the future is not fresh', async () => {
    const opened = Date.now();
    const call = {
      appId: world.app.appId,
      user: { userId: 'x', sessionOpenedAt: new Date(opened).toISOString() } as never,
      proof: {},
      ip: '127.0.0.1',
      leaseId: 'x',
      reads: [],
    };
    // The clock of this function is an hour behind that of MySQL.
    await expect(withFreshProof(call, async () => 'done', opened - 3_600_000)).rejects.toMatchObject({
      code: 'PROOF_REQUIRED',
    });
  });
});

describe('charges', () => {
  test('a right token with a refused password is no guess', async () => {
    const member = await world.passwordMember();
    const { resetToken } = await makeResetToken(member.userId, 'operator');
    const reset = (password: string) =>
      world.stack.call(world.app, 'POST', '/login/reset', { body: { resetToken, password } });
    const long = `${member.account}`;
    for (let i = 0; i < 31; i++) expect((await reset(long)).status).toBe(400);
    expect((await reset('eleven-boats-under-rain')).status).toBe(204);
  });

  test('a phone number of somebody else at the login is no guess', async () => {
    const number = `136${randomInt(1e7, 1e8)}`;
    const owner = await world.passwordMember();
    await world.link(owner, 'phone', { phoneCode: world.stack.wechat.issuePhoneCode({ number }) });
    const person = world.newPerson();
    const { deviceMark } = (await world.logIn(person)).body;
    const logIn = (more: object) =>
      world.stack.call(world.app, 'POST', '/login/wechat', {
        body: { code: world.code(person), ...more },
        headers: { 'device-mark': deviceMark },
      });
    for (let i = 0; i < 10; i++) {
      const phoneCode = world.stack.wechat.issuePhoneCode({ number });
      expect((await logIn({ phoneCode })).body.code, `login ${i}`).toBe('IDENTITY_TAKEN');
    }
    expect((await logIn({})).status).toBe(200);
  });
});

describe('codes', () => {
  test('the quota of phone numbers is used up: 503 WECHAT_BUSY, as at the login', async () => {
    await world.stack.flush();
    const member = await world.passwordMember();
    world.stack.wechat.failNextAt('/wxa/business/getuserphonenumber', 45009);
    const answer = await world.link(member, 'phone', { phoneCode: world.stack.wechat.issuePhoneCode() });
    expect(answer).toMatchObject({ status: 503, body: { code: 'WECHAT_BUSY' } });
  });
});

describe('a call whose answer did not reach the client, sent again', () => {
  test('the link of a WeChat person', async () => {
    const member = await world.passwordMember();
    const code = world.code(world.newPerson());
    expect((await world.link(member, 'wechat', { code })).status).toBe(201);
    expect((await world.link(member, 'wechat', { code })).status).toBe(201);
  });

  test('the link of a password', async () => {
    const member = await world.wechatMember(world.newPerson());
    const body = { account: `twice-${randomInt(1e9)}`, password: 'eleven-boats-under-rain' };
    expect((await world.link(member, 'password', body)).status).toBe(201);
    expect((await world.link(member, 'password', body)).status).toBe(201);
  });
});

describe('the operator log', () => {
  test('knows that an identity was removed, by a hash', async () => {
    const member = await world.passwordMember();
    await world.link(member, 'wechat', { code: world.code(world.newPerson()) });
    const wechat = (await world.identities(member)).find(({ platform }) => platform === 'wechat');
    await world.unlink(member, String(wechat?.id));
    expect(await sql('SELECT action FROM audit_log WHERE subject = ?', [member.userId])).toHaveLength(1);
  });
});

describe('GET /me/export', () => {
  test('of a user with much of everything is below 6 MB and answers', async () => {
    const member = await world.passwordMember();
    const numbers = Array.from({ length: 5_000 }, (_, i) => i);
    const chunk = <T>(list: T[]) => Array.from({ length: 10 }, (_, i) => list.slice(i * 500, i * 500 + 500));
    const id = () => randomBytes(12).toString('hex');
    const orders = numbers.map(() => id());
    for (const part of chunk(numbers)) {
      await sql(
        'INSERT INTO sessions (app_id, user_id, session_id, user_version, device, network, idle_until, ends_at, ended_at, ended_by) VALUES ?',
        [
          part.map(() => [
            world.app.appId,
            member.userId,
            randomBytes(16).toString('hex'),
            1,
            'd'.repeat(120),
            '2001:db8::/32',
            new Date(Date.now() + 9e7),
            new Date(Date.now() + 9e7),
            new Date(),
            'replaced',
          ]),
        ],
      );
      await sql(
        'INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, reason) VALUES ?',
        [
          part.map((i) => [
            world.app.appId,
            member.userId,
            'coin',
            i + 1,
            1,
            i + 1,
            'grant',
            id(),
            'promotion',
            '买'.repeat(80),
          ]),
        ],
      );
      await sql(
        'INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, amount_fen, currency, units, transaction_id) VALUES ?',
        [
          part.map((i) => [
            orders[i],
            world.app.appId,
            member.userId,
            'coin',
            '',
            'coins-60',
            'wechatpay',
            600,
            'CNY',
            60,
            `42000${id()}`,
          ]),
        ],
      );
      await sql('INSERT INTO refunds (refund_no, order_no, amount_fen, units, status) VALUES ?', [
        part.map((i) => [id(), orders[i], 600, 60, 'succeeded']),
      ]);
    }
    const answer = await world.call(member, 'GET', '/me/export');
    expect(answer.status).toBe(200);
    expect(Buffer.byteLength(answer.text)).toBeLessThan(6 * 1024 * 1024);
  }, 60_000);
});

describe('texts that break software', () => {
  test('are no reason for a 500', async () => {
    const member = await world.passwordMember();
    const odd = ['\u0000', '\ud800', '😀'.repeat(40), "'", '\\', '../..', 'a'.repeat(70_000), [], {}, null, 0, true];
    const bodies: Array<[string, string, (x: unknown) => unknown]> = [
      ['POST', '/login/wechat', (x) => ({ code: x })],
      ['POST', '/login/wechat', (x) => ({ code: world.code(world.newPerson()), phoneCode: x })],
      ['POST', '/login/reset', (x) => ({ resetToken: x, password: 'eleven-boats-under-rain' })],
      ['POST', '/login/reset', (x) => ({ resetToken: 'x', password: x })],
      ['POST', '/me/identities/wechat', (x) => ({ code: x })],
      ['POST', '/me/identities/phone', (x) => ({ phoneCode: x })],
      ['POST', '/me/identities/password', (x) => ({ account: x, password: 'eleven-boats-under-rain' })],
      ['POST', '/me/identities/password', (x) => ({ account: 'abcabc', password: x })],
      ['DELETE', '/me', (x) => ({ secondString: x })],
      ['DELETE', '/me/identities/x', (x) => ({ proof: x })],
      ['DELETE', '/me/identities/x', (x) => ({ proof: { password: x } })],
      ['POST', '/login/channel', (x) => ({ channel: 'demo', channelUserId: x })],
    ];
    const bad: string[] = [];
    for (const [method, path, body] of bodies) {
      for (const x of odd) {
        const answer = await world.call(member, method, path, body(x));
        if (answer.status >= 500) bad.push(`${method} ${path} ${JSON.stringify(x)?.slice(0, 40)} ${answer.text}`);
      }
    }
    for (const id of ['😀', 'a'.repeat(3_000), "'", '*', '__proto__']) {
      const answer = await world.call(member, 'DELETE', `/me/identities/${id}`);
      if (answer.status >= 500) bad.push(`${id.slice(0, 20)} ${answer.text}`);
    }
    expect(bad).toEqual([]);
  }, 60_000);

  test('channel users whose ids differ only for computers are different users', async () => {
    const ids = ['é', 'e\u0301', '😀'.repeat(64), '😀'.repeat(63), 'ß', 'SS', 'A', 'a', 'ａ', 'Ⅻ'];
    const users = [];
    for (const id of ids) users.push((await world.channelMember(id)).userId);
    expect(new Set(users).size).toBe(ids.length);
  });
});
