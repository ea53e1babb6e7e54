import { randomBytes, randomInt } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { withdrawConsent } from '../../shared/account/withdraw.ts';
import { newUserId } from '../../shared/session/token.ts';
import { removeMiniProgram, setMiniProgram } from '../../shared/wechat/admin.ts';
import { findMiniProgram, findPushSecrets } from '../../shared/wechat/mini-program.ts';
import { type IdentityWorld, startIdentityWorld } from '../support/identity-world.ts';

/** What happens at the edges of a life: of a deployment, a mini-program, a consent, an account. */
let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld({ seeded: true });
});

const sql = async (statement: string, values: unknown[] = []) =>
  (await world.stack.mysql.query(statement, values))[0] as Array<Record<string, unknown>>;
const openidOf = () => `o${randomBytes(8).toString('hex')}`;

describe('while a deployment is in progress', () => {
  test('a person whom the former release erased and created again gets a row at the first login', async () => {
    const openid = openidOf();
    const logIn = () =>
      world.stack.call(world.app, 'POST', '/login/wechat', {
        body: { code: world.stack.wechat.issueCode({ openid, unionid: null }) },
      });
    const { userId } = (await logIn()).body.user;
    await sql('UPDATE users SET wechat_openid = NULL, erased_at = NOW(3), version = version + 1 WHERE user_id = ?', [
      userId,
    ]);
    const second = newUserId();
    await sql("INSERT INTO users (user_id, profile, wechat_openid) VALUES (?, '{}', ?)", [second, openid]);
    expect((await logIn()).body.user.userId).toBe(second);
    expect(await sql('SELECT user_id FROM identities WHERE subject = ?', [openid])).toEqual([{ user_id: second }]);
  });
});

describe('an app that names the default mini-program', () => {
  test('and stops to name it: the default keeps its stored secret and its push settings', async () => {
    const wechatAppid = String(world.stack.env.WECHAT_APPID);
    await sql('UPDATE apps SET wechat_appid = NULL WHERE wechat_appid = ?', [wechatAppid]);
    const app = await world.stack.createApp();
    const secret = randomBytes(16).toString('hex');
    const push = { token: 'token123', encodingAesKey: 'a'.repeat(43) };
    await setMiniProgram(app.appId, { wechatAppid, secret, push }, 'operator');
    expect((await findMiniProgram(wechatAppid))?.secrets).toContain(secret);
    await removeMiniProgram(app.appId, 'operator');
    expect((await findMiniProgram(wechatAppid))?.secrets).toContain(secret);
    expect(await findPushSecrets(wechatAppid)).toEqual(push);
  });
});

describe('a withdrawn consent', () => {
  test('is not kept because the user linked something after it', async () => {
    const person = world.newPerson();
    const member = await world.wechatMember(person);
    await world.call(member, 'PUT', '/me', { profile: { nickname: 'Lan', city: 'Ulm' } });
    const [row] = await sql("SELECT subject FROM identities WHERE user_id = ? AND platform = 'wechat'", [
      member.userId,
    ]);
    await sql('UPDATE users SET profile_at = NOW(3) - INTERVAL 1 DAY WHERE user_id = ?', [member.userId]);
    // Withdrawn five minutes ago, at WeChat. Since then the person has logged in at the second mini-program.
    await world.logIn(person, world.other);
    await withdrawConsent(
      String(world.stack.env.WECHAT_APPID),
      String(row?.subject),
      { profile: true, phone: true },
      Date.now() / 1000 - 300,
    );
    expect((await world.call(member, 'GET', '/me')).body.profile).toEqual({ city: 'Ulm' });
  });
});

describe('the cost of phone numbers', () => {
  test('one person cannot cause it without end by logging in', async () => {
    const person = world.newPerson();
    const statuses: number[] = [];
    for (let i = 0; i < 40; i++) {
      const body = { code: world.code(person), phoneCode: world.stack.wechat.issuePhoneCode() };
      statuses.push((await world.stack.call(world.app, 'POST', '/login/wechat', { body })).status);
    }
    expect(statuses).toContain(429);
  }, 60_000);

  test('a button that is tapped twice', async () => {
    const answers: number[][] = [];
    for (let i = 0; i < 10; i++) {
      const member = await world.passwordMember();
      const phoneCode = world.stack.wechat.issuePhoneCode();
      const both = await Promise.all([0, 1].map(() => world.link(member, 'phone', { phoneCode })));
      answers.push(both.map(({ status }) => status));
    }
    expect(answers.flat().filter((status) => status !== 201)).toEqual([]);
  }, 60_000);
});

describe('absorbing', () => {
  test('whose COMMIT is not answered still tells the plugin servers', async () => {
    const person = world.newPerson();
    const owner = await world.wechatMember(person);
    const member = await world.passwordMember();
    let isLost = false;
    const asked: string[] = [];
    world.stack.faults.mysql = ({ sql: text = '' }) => {
      if (text.startsWith('SELECT DISTINCT app_id FROM sessions')) asked.push(text);
      if (text !== 'COMMIT' || isLost) return undefined;
      isLost = true;
      return { kind: 'drop-after' };
    };
    const answer = await world.link(member, 'wechat', { code: world.code(person) }).finally(() => {
      world.stack.faults.mysql = undefined;
    });
    expect(answer.status).toBe(201);
    expect(asked.join()).toContain(owner.userId);
  });

  test('leaves no upload of the absorbed account behind', async () => {
    const person = world.newPerson();
    const owner = await world.wechatMember(person);
    await sql(
      `INSERT INTO uploads (upload_id, app_id, user_id, content_type, bytes, ends_at, check_at)
       VALUES (?, ?, ?, 'image/png', 1, NOW(3) + INTERVAL 1 DAY, NOW(3) + INTERVAL 1 DAY)`,
      [randomBytes(11).toString('hex'), world.app.appId, owner.userId],
    );
    const member = await world.passwordMember();
    const answer = await world.link(member, 'wechat', { code: world.code(person) });
    const [upload] = await sql('SELECT ends_at <= NOW(3) AS ended FROM uploads WHERE user_id = ?', [owner.userId]);
    expect({ status: answer.status, ended: Number(upload?.ended) }).toEqual({ status: 201, ended: 1 });
  });

  test('two users who absorb each other at once leave one user with both', async () => {
    for (let round = 0; round < 10; round++) {
      const [one, two] = [world.newPerson(), world.newPerson()];
      const [a, b] = [await world.wechatMember(one), await world.wechatMember(two)];
      const answers = await Promise.all([
        world.link(a, 'wechat', { code: world.code(two) }),
        world.link(b, 'wechat', { code: world.code(one) }),
      ]);
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 401]);
      expect((await world.logIn(one)).body.user.userId).toBe((await world.logIn(two)).body.user.userId);
    }
  }, 60_000);
});

describe('a user whom an operator has disabled', () => {
  test('does not come back by unionid, link, phone or a second mini-program', async () => {
    const person = world.newPerson();
    const number = `133${randomInt(1e7, 1e8)}`;
    const user = await world.wechatMember(person);
    await world.link(user, 'phone', { phoneCode: world.stack.wechat.issuePhoneCode({ number }) });
    await sql('UPDATE users SET disabled_at = NOW(3), version = version + 1 WHERE user_id = ?', [user.userId]);
    expect((await world.logIn(person)).status).toBe(401);
    expect((await world.logIn(person, world.other)).status).toBe(401);
    const helper = await world.passwordMember();
    expect((await world.link(helper, 'wechat', { code: world.code(person) })).status).toBe(409);
    const atOther = await world.passwordMember(world.other);
    expect((await world.link(atOther, 'wechat', { code: world.code(person, world.other) })).status).toBe(409);
    expect(
      (await world.link(helper, 'phone', { phoneCode: world.stack.wechat.issuePhoneCode({ number }) })).status,
    ).toBe(409);
    expect((await world.logIn(person)).status).toBe(401);
  });
});

describe('a user of two WeChat persons, one of whom logged in at the former release during the deployment', () => {
  test('can remove an identity without a 500', async () => {
    const [older, newer] = [openidOf(), openidOf()];
    const member = await world.passwordMember();
    for (const openid of [older, newer]) {
      const code = world.stack.wechat.issueCode({ openid, unionid: null });
      expect((await world.link(member, 'wechat', { code })).status).toBe(201);
    }
    // The former release knows the newest openid only, in the column, and created a user for the other one.
    await sql("INSERT INTO users (user_id, profile, wechat_openid) VALUES (?, '{}', ?)", [newUserId(), older]);
    const wechat = (await world.identities(member)).filter(({ platform }) => platform === 'wechat');
    const answer = await world.unlink(member, String(wechat.at(-1)?.id));
    expect(answer.status, answer.text).toBe(204);
  });
});
