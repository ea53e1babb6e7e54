import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type IdentityWorld, startIdentityWorld } from '../support/identity-world.ts';
import { lockCounters } from '../support/lock-counters.ts';

/** An account that does everything at once while it is absorbed, and changes that must hold. */
let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld({ seeded: true });
});
const sql = async (statement: string, values: unknown[] = []) =>
  (await world.stack.mysql.query(statement, values))[0] as Array<Record<string, unknown>>;

describe('everything at once', () => {
  test('an account that is absorbed while it orders, books, uploads, changes and logs in', async () => {
    const bad: string[] = [];
    for (let round = 0; round < 12; round++) {
      await world.stack.flush();
      const person = world.newPerson();
      const owner = await world.wechatMember(person);
      const caller = await world.passwordMember();
      const key = randomBytes(12).toString('hex');
      const as = (method: string, path: string, body: unknown, headers = {}) =>
        world.stack.call(world.app, method, path, { session: owner.session, body, headers });
      const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
      const [link, order, ...others] = await Promise.all([
        world.link(caller, 'wechat', { code: world.code(person) }),
        pause().then(() =>
          as('POST', '/recharge', { productId: 'coins-60', provider: 'sandbox' }, { 'idempotency-key': key }),
        ),
        as('PUT', '/me', { profile: { nickname: 'n' } }),
        as('POST', '/uploads', { contentType: 'image/png', bytes: 10 }),
        world.logIn(person),
        world.logIn(person, world.other),
        world.call(owner, 'GET', '/me/identities'),
      ]);
      for (const answer of [link, order, ...others]) {
        if (answer.status >= 500) bad.push(`round ${round}: ${answer.text}`);
      }
      const [row] = await sql('SELECT erased_at FROM users WHERE user_id = ?', [owner.userId]);
      if (order.status === 201 && row?.erased_at)
        bad.push(
          `round ${round}: an order of an absorbed account (caller locked first: ${caller.userId < owner.userId})`,
        );
      if (order.status === 400) bad.push(`round ${round}: order 400 ${order.text.slice(0, 200)}`);
    }
    expect(bad).toEqual([]);
  }, 120_000);
});

describe('WeChat is down', () => {
  test('a proof by code is 503 and charges nothing', async () => {
    const member = await world.passwordMember();
    await world.call(member, 'GET', '/me');
    const [wechat] = [(await world.link(member, 'wechat', { code: world.code(world.newPerson()) })).body];
    await world.age(member);
    await world.call(member, 'GET', '/me');
    const before = await lockCounters(world.stack.redis);
    world.stack.wechat.misbehave({ kind: 'refuse' });
    try {
      for (let i = 0; i < 3; i++) {
        const proof = { code: world.code(world.newPerson()) };
        expect((await world.unlink(member, wechat.id, proof)).status).toBe(503);
        expect((await world.call(member, 'DELETE', '/me', proof)).status).toBe(503);
        expect((await world.link(member, 'phone', { phoneCode: 'x', proof })).status).toBe(503);
      }
    } finally {
      world.stack.wechat.misbehave(null);
    }
    const after = await lockCounters(world.stack.redis);
    const changed = Object.entries(after).filter(([key, value]) => before[key] !== value && value !== '0');
    expect(changed).toEqual([]);
  });
});

describe('removing a WeChat identity holds', () => {
  test('also when WeChat told the unionid only at a later link of the same person', async () => {
    const person = world.newPerson();
    const first = await world.stack.call(world.app, 'POST', '/login/wechat', {
      body: { code: world.code(person, world.app, null) },
    });
    const member = { userId: first.body.user.userId, session: first.body.token, app: world.app, account: '' };
    await world.link(member, 'password', {
      account: `v-${randomBytes(6).toString('hex')}`,
      password: 'eleven-boats-under-rain',
    });
    // WeChat tells the unionid now. The person logs in at the second mini-program, too.
    expect((await world.link(member, 'wechat', { code: world.code(person) })).status).toBe(201);
    expect((await world.logIn(person, world.other)).body.user.userId).toBe(member.userId);
    const [chosen] = (await world.identities(member)).filter(({ label }) =>
      label.startsWith(String(world.stack.env.WECHAT_APPID)),
    );
    expect((await world.unlink(member, String(chosen?.id))).status).toBe(204);
    expect((await world.logIn(person)).body.user.userId).not.toBe(member.userId);
  });
});

describe('the default mini-program was changed in the environment', () => {
  test('an openid of the former default does not become one of the new default', async () => {
    const member = await world.wechatMember(world.newPerson(), world.other);
    const [row] = await sql("SELECT subject FROM identities WHERE user_id = ? AND platform = 'wechat'", [
      member.userId,
    ]);
    // As if the second mini-program had been the default when the user came.
    await sql('UPDATE users SET wechat_openid = ? WHERE user_id = ?', [row?.subject, member.userId]);
    await world.link(member, 'phone', { phoneCode: world.stack.wechat.issuePhoneCode({ appid: world.otherAppid }) });
    const [wechat] = (await world.identities(member)).filter(({ platform }) => platform === 'wechat');
    const rows = await sql("SELECT platform_app FROM identities WHERE user_id = ? AND platform = 'wechat'", [
      member.userId,
    ]);
    expect(rows).toEqual([{ platform_app: world.otherAppid }]);
    expect((await world.unlink(member, String(wechat?.id))).body).toMatchObject({ code: 'LAST_IDENTITY' });
  });
});
