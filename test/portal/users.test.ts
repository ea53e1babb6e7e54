import { beforeAll, describe, expect, test } from 'vitest';
import { linkPhone, linkWechat } from '../../shared/account/link.ts';
import { phoneOf } from '../../shared/account/phone.ts';
import { ownSession } from '../support/bearer-session.ts';
import { insertAccount, KNOWN_PASSWORD } from '../support/known-accounts.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** What an operator does for the users: find them, look at their identities, merge them, help with a password. */
const NUMBER = '+8613987000001';
const OPENID = 'openid-of-ada';

let stack: TestStack;
let app: TestApp;
/** With a name, a phone number, and WeChat at a mini-program. */
let ada: { account: string; userId: string };
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
  ada = await insertAccount(stack.mysql, { profile: { nickname: 'Ada 100%' } });
  await linkPhone(await ownSession(app.appId, ada.userId), phoneOf({ number: NUMBER, masked: '139****0001' }));
  await linkWechat(await ownSession(app.appId, ada.userId), {
    wechatAppid: 'wx7',
    openid: OPENID,
    unionid: 'union-of-ada',
  });
});
const logIn = (account: string, password = KNOWN_PASSWORD) =>
  stack.call(app, 'POST', '/login', { body: { account, password } });
const find = (...by: string[]) => portalJson(['user', 'find', ...by]);
const refused = async (...argv: string[]) => {
  const { code, stderr } = await portalHere(['user', ...argv]);
  return [code, stderr] as const;
};

describe('portal user find', () => {
  test('finds one user by each of the things that a user can report', async () => {
    const found = await find('--user', ada.userId);
    expect(found).toEqual({
      userId: ada.userId,
      account: ada.account,
      state: 'enabled',
      mergedInto: null,
      loginBy: 'password',
      phone: '139****0001',
      identities: 3,
      platforms: ['password', 'phone', 'wechat'],
      createdAt: expect.any(String),
    });
    for (const by of [
      ['--phone', '13987000001'],
      ['--phone', NUMBER],
      ['--unionid', 'union-of-ada'],
      ['--openid', OPENID],
      ['--account', ada.account.toUpperCase()],
    ]) {
      expect(await find(...by), by.join(' ')).toEqual(found);
    }
  });

  test('shows no number in clear, and does not repeat one that it does not know', async () => {
    const runs = [
      ['--user', ada.userId],
      ['--phone', NUMBER],
      ['--phone', '13987000002'],
      ['--phone', '1398700000x'],
    ];
    for (const by of runs) {
      for (const argv of [by, [...by, '--json']]) {
        const { stdout, stderr } = await portalHere(['user', 'find', ...argv]);
        expect(`${stdout}${stderr}`).not.toMatch(/87000/);
      }
    }
    expect(await refused('find', '--phone', '13987000002')).toEqual([
      1,
      expect.stringContaining('There is no user with this phone.'),
    ]);
    expect(await refused('find', '--phone', '1398700000x')).toEqual([2, expect.stringContaining('such as')]);
  });

  test('an openid that only the column of the former release has is found, too', async () => {
    const { userId } = await insertAccount(stack.mysql);
    await stack.mysql.execute('UPDATE users SET wechat_openid = ? WHERE user_id = ?', ['openid-former', userId]);
    expect(await find('--openid', 'openid-former')).toMatchObject({ userId, platforms: ['password', 'wechat'] });
  });

  test('--text lists users by the begin of account name or nickname, the newest first', async () => {
    const older = await insertAccount(stack.mysql, { profile: { nickName: '张三 Ada' } });
    const newer = await insertAccount(stack.mysql, { profile: { nickname: '张三丰' } });
    await stack.mysql.execute("UPDATE users SET created_at = '2020-01-01' WHERE user_id = ?", [older.userId]);
    const ids = async (text: string): Promise<string[]> =>
      (await find('--text', text)).users.map(({ userId }: { userId: string }) => userId);
    expect(await ids('张三')).toEqual([newer.userId, older.userId]);
    expect(await ids('ada 100%')).toEqual([ada.userId]);
    expect([await ids('ada 1__'), await ids('Ada%'), await ids('三')]).toEqual([[], [], []]);
    expect(await ids(newer.account.slice(0, 10).toUpperCase())).toEqual([newer.userId]);
    for (let i = 0; i < 22; i++) await insertAccount(stack.mysql, { profile: { nickname: `many-${i}` } });
    expect(await ids('many-')).toHaveLength(20);
    expect((await portalHere(['user', 'find', '--text', '张三'])).stdout).toContain(older.account);
  });

  test('takes exactly one of its options', async () => {
    for (const by of [[], ['--text', 'a', '--phone', NUMBER]]) {
      expect((await refused('find', ...by))[0]).toBe(2);
    }
    expect((await refused('find', '--text', ' '))[0]).toBe(2);
  });
});

describe('portal user identities and unlink', () => {
  test('lists them as their user sees them, with the mini-program and a hash in place of the subject', async () => {
    const { identities } = await portalJson(['user', 'identities', '--user', ada.userId]);
    expect(identities).toEqual([
      expect.objectContaining({ platform: 'password', wechatAppid: null }),
      expect.objectContaining({ platform: 'phone', label: '139****0001' }),
      expect.objectContaining({ platform: 'wechat', label: 'wx7 ****-ada', wechatAppid: 'wx7' }),
    ]);
    for (const one of identities) expect(one.subjectHash).toMatch(/^[0-9a-f]{32}$/);
    const { stdout } = await portalHere(['user', 'identities', '--user', ada.userId]);
    expect(`${stdout}${JSON.stringify(identities)}`).not.toMatch(/openid-of-ada|87000|union/);
    expect(await refused('identities', '--user', 'nobody')).toEqual([1, expect.stringContaining('There is no user')]);
  });

  test('removes one, ends the sessions, and keeps a hash of it in the operator log', async () => {
    const ben = await insertAccount(stack.mysql);
    await linkWechat(await ownSession(app.appId, ben.userId), {
      wechatAppid: 'wx7',
      openid: 'openid-of-ben',
      unionid: null,
    });
    const { token } = (await logIn(ben.account)).body;
    const [name, wechat] = (await portalJson(['user', 'identities', '--user', ben.userId])).identities;
    const unlink = (id: string) => ['unlink', '--user', ben.userId, '--identity', id];
    await portalJson(['user', ...unlink(wechat.id)]);
    expect((await stack.call(app, 'GET', '/me', { session: token })).body).toMatchObject({ code: 'SESSION_REVOKED' });
    const { entries } = await portalJson(['operator-log', 'list', '--subject', ben.userId]);
    expect(entries).toMatchObject([
      { action: 'user.unlink', detail: { platform: 'wechat', subjectHash: wechat.subjectHash } },
    ]);
    expect(JSON.stringify(entries)).not.toContain('openid-of-ben');
    expect(await refused(...unlink(wechat.id))).toEqual([1, expect.stringContaining('has no identity')]);
    expect(await refused(...unlink(name.id))).toEqual([1, expect.stringContaining('no other identity')]);
    expect(await find('--openid', OPENID)).toMatchObject({ userId: ada.userId });
  });
});

describe('portal user merge', () => {
  test('says what moves, does it, and is a success when it is sent again', async () => {
    const [from, into] = [await insertAccount(stack.mysql), await insertAccount(stack.mysql)];
    const argv = ['merge', '--from', from.userId, '--into', into.userId];
    const merged = await portalJson(['user', ...argv]);
    expect(merged).toEqual({
      from: from.userId,
      into: into.userId,
      ...{ identities: 0, account: 'ends', phone: 'none', records: {}, overQuota: [], fields: [], units: [] },
    });
    expect(await portalJson(['user', ...argv])).toEqual(merged);
    expect(await find('--user', from.userId)).toMatchObject({
      state: 'merged',
      mergedInto: into.userId,
      account: null,
    });
    const text = (await portalHere(['user', 'find', '--user', from.userId, '--lang', 'zh'])).stdout;
    expect(text).toContain('已合并到');
    const { entries } = await portalJson(['operator-log', 'list', '--subject', into.userId]);
    expect(entries).toMatchObject([{ action: 'user.merge', detail: { from: from.userId, account: 'ends' } }]);
  });

  test('is refused in one sentence for the same user, an unknown user and a disabled user', async () => {
    const { userId } = await insertAccount(stack.mysql);
    const merge = (from: string, into: string) => refused('merge', '--from', from, '--into', into);
    expect(await merge(userId, userId)).toEqual([2, expect.stringContaining('the same user')]);
    for (const unknown of ['nobody', 'a b', '张三']) {
      expect(await merge(userId, unknown)).toEqual([1, expect.stringContaining(`There is no user ${unknown}`)]);
    }
    await portalJson(['user', 'disable', '--user', userId]);
    expect(await merge(userId, ada.userId)).toEqual([1, expect.stringContaining(`"user enable --user ${userId}"`)]);
  });
});

describe('portal user reset-password', () => {
  const reset = (userId: string) => ['user', 'reset-password', '--user', userId];
  const use = (resetToken: string, password: string) =>
    stack.call(app, 'POST', '/login/reset', { body: { resetToken, password } });

  test('prints a token with which the user sets a new password, and a new token ends the former', async () => {
    const ben = await insertAccount(stack.mysql);
    const former = await portalJson(reset(ben.userId));
    expect(former).toEqual({ resetToken: expect.any(String), expiresAt: expect.stringMatching(/Z$/) });
    const { resetToken } = await portalJson(reset(ben.userId));
    expect((await use(former.resetToken, 'a-new-lantern-over-land')).body).toMatchObject({ code: 'BAD_CREDENTIALS' });
    expect((await use(resetToken, 'a-new-lantern-over-land')).status).toBe(204);
    expect((await logIn(ben.account, 'a-new-lantern-over-land')).status).toBe(200);
    expect((await portalHere(['operator-log', 'list'])).stdout).not.toContain(resetToken);
  });

  test('prints a link with the token in its fragment where RESET_URL is set', async () => {
    const environment = { ...process.env, RESET_URL: 'https://shop.example/reset' };
    const { json } = await portalHere([...reset(ada.userId), '--json'], environment);
    expect(json.link).toBe(`https://shop.example/reset#${json.resetToken}`);
    const wrong = { ...process.env, RESET_URL: 'https://shop.example/reset?x=1' };
    expect(await portalHere(reset(ada.userId), wrong)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('RESET_URL must be a URL'),
    });
  });

  test('says how a user without a password logs in', async () => {
    const { user } = (await stack.call(app, 'POST', '/login/wechat', { body: { code: stack.wechat.issueCode() } }))
      .body;
    expect(await portalHere(reset(user.userId))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no password: the login is by wechat'),
    });
    expect(await portalHere(reset('nobody'))).toMatchObject({ code: 1, stderr: expect.stringContaining('no user') });
  });
});
