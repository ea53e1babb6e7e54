import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { newUserId } from '../../shared/session/token.ts';
import { type IdentityWorld, startIdentityWorld } from '../support/identity-world.ts';

/**
 * While a deployment is in progress, functions of the former release work on the new tables. These are its statements.
 * It knows one openid for the whole deployment, in a column.
 */
let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld();
});

const sql = async (statement: string, values: unknown[]) =>
  (await world.stack.mysql.query(statement, values))[0] as Array<Record<string, unknown>>;

async function formerLogin(openid: string): Promise<string | undefined> {
  const [row] = await sql('SELECT u.user_id FROM users u WHERE u.wechat_openid = ?', [openid]);
  return row && String(row.user_id);
}
async function formerFirstLogin(openid: string): Promise<string> {
  const userId = newUserId();
  await sql('INSERT INTO users (user_id, profile, wechat_openid) SELECT ?, ?, ? FROM DUAL WHERE TRUE', [
    userId,
    '{}',
    openid,
  ]);
  return userId;
}
async function formerErasure(userId: string): Promise<void> {
  await sql(
    `UPDATE users u LEFT JOIN sessions s ON s.user_id = u.user_id LEFT JOIN user_fields f ON f.user_id = u.user_id
        SET f.fields = '{}', u.account = NULL, u.password_hash = NULL, u.wechat_openid = NULL, u.channel = NULL,
            u.channel_user_id = NULL, u.account_address = NULL, u.profile = '{}', u.erased_at = NOW(3),
            u.version = u.version + 1, s.device = '', s.network = '', s.ended_at = COALESCE(s.ended_at, NOW(3)),
            s.ended_by = COALESCE(s.ended_by, 'erased')
      WHERE u.user_id = ? AND u.erased_at IS NULL`,
    [userId],
  );
}

const openid = (): string => `openid-${randomBytes(8).toString('hex')}`;
const logIn = (of: string, unionid: string | null = null) =>
  world.stack.call(world.app, 'POST', '/login/wechat', {
    body: { code: world.stack.wechat.issueCode({ openid: of, unionid }) },
  });

describe('a user whom the former release created', () => {
  test('is the same user after the update, and gets rows at the first login', async () => {
    const of = openid();
    const userId = await formerFirstLogin(of);
    expect((await logIn(of)).body.user.userId).toBe(userId);
    const rows = await sql('SELECT platform_app, subject FROM identities WHERE user_id = ?', [userId]);
    expect(rows).toEqual([{ platform_app: world.stack.env.WECHAT_APPID, subject: of }]);
    expect((await logIn(of)).body.user.userId).toBe(userId);
  });

  test('is listed with the openid before that, and can link more', async () => {
    const of = openid();
    const userId = await formerFirstLogin(of);
    const member = await world.wechatMember(world.newPerson());
    await sql('UPDATE sessions SET user_id = ? WHERE user_id = ?', [userId, member.userId]);
    await sql('DELETE FROM identities WHERE user_id = ?', [userId]);
    const answer = await logIn(of);
    const former = { ...member, userId, session: answer.body.token };
    await sql('DELETE FROM identities WHERE user_id = ?', [userId]);
    expect(await world.identities(former)).toMatchObject([{ platform: 'wechat' }]);
    expect((await world.link(former, 'wechat', { code: world.code(world.newPerson()) })).status).toBe(201);
    expect(await world.identities(former)).toHaveLength(2);
  });

  test('is found by the unionid from the second login on', async () => {
    const [of, unionid] = [openid(), openid()];
    const userId = await formerFirstLogin(of);
    expect((await logIn(of, unionid)).body.user.userId).toBe(userId);
    const code = world.stack.wechat.issueCode({ appid: world.otherAppid, openid: openid(), unionid });
    const second = await world.stack.call(world.other, 'POST', '/login/wechat', { body: { code } });
    expect(second.body.user.userId).toBe(userId);
  });
});

describe('a user whom this release created', () => {
  test('is found by the former release', async () => {
    const of = openid();
    expect(await formerLogin(of)).toBeUndefined();
    const { userId } = (await logIn(of)).body.user;
    expect(await formerLogin(of)).toBe(userId);
  });

  test('whom the former release erased: the next login creates a new user', async () => {
    const of = openid();
    const { userId } = (await logIn(of)).body.user;
    await formerErasure(userId);
    const next = await logIn(of);
    expect(next).toMatchObject({ status: 200 });
    expect(next.body.user.userId).not.toBe(userId);
  });

  test('who removes WeChat is not found by the former release either', async () => {
    const member = await world.passwordMember();
    const of = openid();
    await world.link(member, 'wechat', { code: world.stack.wechat.issueCode({ openid: of, unionid: null }) });
    expect(await formerLogin(of)).toBe(member.userId);
    const wechat = (await world.identities(member)).find(({ platform }) => platform === 'wechat');
    await world.unlink(member, String(wechat?.id));
    expect(await formerLogin(of)).toBeUndefined();
  });
});
