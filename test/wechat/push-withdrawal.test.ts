import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { deliverPush } from '../../local/simulators/wechat-push.ts';
import { newUserId } from '../../shared/session/token.ts';
import { openBearerSession } from '../support/bearer-session.ts';
import { newSender, nowSeconds, pusher, setPush } from '../support/push-sender.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
/** The default mini-program: openids are in `users`. And one whose openids are in `identities` alone. */
let byDefault: ReturnType<typeof pusher>;
let byOther: ReturnType<typeof pusher>;
let ofDefault: ReturnType<typeof newSender>;
const other = newSender();

beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
  ofDefault = newSender(stack.env.WECHAT_APPID);
  await setPush(stack, ofDefault);
  await setPush(stack, other);
  byDefault = pusher(stack, ofDefault);
  byOther = pusher(stack, other);
});
afterEach(() => {
  stack.faults.mysql = undefined;
});

const PROFILE = { nickname: 'n', nickName: 'N', avatar: 'a', avatarUrl: 'u', city: 'Ulm' };

interface Person {
  userId: string;
  openid: string;
  profile(): Promise<unknown>;
  phones(): Promise<number>;
}

async function newPerson(): Promise<Person> {
  const userId = newUserId();
  const openid = `o-${randomBytes(8).toString('hex')}`;
  await stack.mysql.execute('INSERT INTO users (user_id, wechat_openid, profile) VALUES (?, ?, ?)', [
    userId,
    openid,
    JSON.stringify(PROFILE),
  ]);
  const rows = [
    ['wechat', other.wechatAppid, `${openid}-2`],
    ['phone', '', randomBytes(16).toString('hex')],
  ];
  for (const [platform = '', program = '', subject = ''] of rows) {
    await stack.mysql.execute('INSERT INTO identities (platform, platform_app, subject, user_id) VALUES (?, ?, ?, ?)', [
      platform,
      program,
      subject,
      userId,
    ]);
  }
  const { token: session } = await openBearerSession(app.appId, userId);
  const count = async () => {
    const [found] = await stack.mysql.execute(
      "SELECT COUNT(*) AS phones FROM identities WHERE user_id = ? AND platform = 'phone'",
      [userId],
    );
    return (found as Array<{ phones: number }>)[0]?.phones ?? -1;
  };
  const profile = async () => (await stack.call(app, 'GET', '/me', { session })).body.profile;
  // Its copy is in Redis from now on.
  expect(await profile()).toEqual(PROFILE);
  return { userId, openid, profile, phones: count };
}

const revoked = (OpenID: string, RevokeInfo: string, CreateTime = nowSeconds()) => ({
  ...{ ToUserName: 'gh_1', FromUserName: 'o-wechat', CreateTime, MsgType: 'event', Event: 'user_authorization_revoke' },
  ...{ OpenID, AppID: 'wx1', RevokeInfo },
});
const SUCCESS = { status: 200, text: 'success' };

describe('a withdrawn consent', () => {
  test('of name and picture erases them from the profile at once, and nothing else', async () => {
    for (const code of ['6', '19', '20']) {
      const person = await newPerson();
      expect(await byDefault(revoked(person.openid, code))).toMatchObject(SUCCESS);
      expect(await person.profile()).toEqual({ city: 'Ulm' });
      expect(await person.phones()).toBe(1);
    }
  });

  test('of the phone number erases it, and nothing else', async () => {
    const person = await newPerson();
    expect(await byOther(revoked(`${person.openid}-2`, '8'), { format: 'xml' })).toMatchObject(SUCCESS);
    expect(await person.phones()).toBe(0);
    expect(await person.profile()).toEqual(PROFILE);
  });

  test('of everything, by a person who deleted the account at WeChat, erases both', async () => {
    const person = await newPerson();
    const cancelled = { ...revoked(person.openid, ''), Event: 'user_authorization_cancellation' };
    expect(await byDefault(cancelled)).toMatchObject(SUCCESS);
    expect([await person.profile(), await person.phones()]).toEqual([{ city: 'Ulm' }, 0]);
  });

  test('of something else, of another mini-program or of an unknown person erases nothing', async () => {
    const person = await newPerson();
    for (const code of ['1', '2', '13', '66', '']) await byDefault(revoked(person.openid, code));
    for (const openid of [`${person.openid}-2`, 'o-nobody', '漢字']) {
      expect(await byDefault(revoked(openid, '6,8'))).toMatchObject(SUCCESS);
    }
    expect(await byOther(revoked(person.openid, '6,8'))).toMatchObject(SUCCESS);
    const { OpenID: _, ...nameless } = revoked('', '6');
    expect(await byDefault(nameless)).toMatchObject(SUCCESS);
    expect([await person.profile(), await person.phones()]).toEqual([PROFILE, 1]);
  });

  test('may be reported any number of times, also at the same time and when Redis lost the marks', async () => {
    const person = await newPerson();
    const push = () => byDefault(revoked(person.openid, '6,8', nowSeconds() - 5));
    for (const answer of await Promise.all([push(), push(), push(), push()])) expect(answer).toMatchObject(SUCCESS);
    await stack.flush();
    expect(await push()).toMatchObject(SUCCESS);
    expect([await person.profile(), await person.phones()]).toEqual([{ city: 'Ulm' }, 0]);
  });

  test('that is reported late does not undo what the user gave after it', async () => {
    const person = await newPerson();
    for (const age of [3_600, 90_000]) {
      expect(await byDefault(revoked(person.openid, '6,8', nowSeconds() - age))).toMatchObject(SUCCESS);
    }
    expect([await person.profile(), await person.phones()]).toEqual([PROFILE, 1]);
    const [old, older] = ['2020-01-01 00:00:00', '2019-01-01 00:00:00'];
    await stack.mysql.execute('UPDATE users SET created_at = ?, profile_at = NULL WHERE user_id = ?', [
      old,
      person.userId,
    ]);
    await stack.mysql.execute('UPDATE identities SET created_at = ? WHERE user_id = ?', [older, person.userId]);
    expect(await byDefault(revoked(person.openid, '6,8', nowSeconds() - 86_400))).toMatchObject(SUCCESS);
    expect([await person.profile(), await person.phones()]).toEqual([{ city: 'Ulm' }, 0]);
  });

  test('that could not be erased is 503, and the repetition erases it', async () => {
    const person = await newPerson();
    const members = revoked(person.openid, '6,8');
    let failed = 0;
    stack.faults.mysql = ({ sql = '' }) =>
      sql.startsWith('SELECT app_id, user_id, session_id') && failed++ === 0 ? { kind: 'drop-before' } : undefined;
    const answers = await deliverPush(`${stack.url}/wechat/push/${ofDefault.wechatAppid}`, ofDefault, members);
    expect(answers).toEqual([{ status: 503, text: expect.stringContaining('UNAVAILABLE') }, SUCCESS]);
    expect([await person.profile(), await person.phones()]).toEqual([{ city: 'Ulm' }, 0]);
  });

  test('is erased when an answer of MySQL was lost', async () => {
    const person = await newPerson();
    let lost = 0;
    stack.faults.mysql = ({ sql = '' }) =>
      /^(UPDATE users|DELETE FROM identities)/.test(sql) && lost++ % 2 === 0 ? { kind: 'drop-after' } : undefined;
    expect(await byDefault(revoked(person.openid, '6,8'))).toMatchObject(SUCCESS);
    expect(lost).toBeGreaterThan(2);
    expect([await person.profile(), await person.phones()]).toEqual([{ city: 'Ulm' }, 0]);
  });
});
