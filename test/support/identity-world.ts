import { randomBytes } from 'node:crypto';
import { channelDigest } from '../../client/channel-digest.ts';
import { seal } from '../../shared/master-key.ts';
import { secretContext } from '../../shared/wechat/mini-program.ts';
import { openBearerSession } from './bearer-session.ts';
import { insertAccount } from './known-accounts.ts';
import { startTestStack, type TestAnswer, type TestApp, type TestStack } from './stack.ts';

/** A logged-in user at an app. */
export interface Member {
  userId: string;
  session: string;
  app: TestApp;
  /** The login name; '' without one. */
  account: string;
}

/** Two apps, each with a mini-program of its own. Both belong to one owner, so a person has one unionid in both. */
export interface IdentityWorld {
  stack: TestStack;
  /** Its mini-program is the deployment's own. */
  app: TestApp;
  other: TestApp;
  otherAppid: string;
  /** A text that stands for a person; `null` as unionid: WeChat tells none. */
  newPerson(): string;
  code(person: string, at?: TestApp, unionid?: null): string;
  logIn(person: string, at?: TestApp): Promise<TestAnswer>;
  wechatMember(person: string, at?: TestApp): Promise<Member>;
  passwordMember(at?: TestApp): Promise<Member>;
  channelMember(channelUserId?: string): Promise<Member>;
  call(member: Member, method: string, path: string, body?: unknown): Promise<TestAnswer>;
  link(member: Member, kind: 'wechat' | 'phone' | 'password', body: object): Promise<TestAnswer>;
  unlink(member: Member, id: string, proof?: object): Promise<TestAnswer>;
  identities(member: Member): Promise<Array<{ id: string; platform: string; label: string; createdAt: string }>>;
  /** As if the session had been opened an hour ago. */
  age(member: Member): Promise<void>;
}

const OTHER_APPID = 'wx1111111111111111';

export async function startIdentityWorld(options: Parameters<typeof startTestStack>[0] = {}): Promise<IdentityWorld> {
  const stack = await startTestStack(options);
  const [app, other] = [await stack.createApp(), await stack.createApp()];
  const secret = randomBytes(16).toString('hex');
  stack.wechat.addProgram({ appid: OTHER_APPID, secret });
  await stack.mysql.execute('INSERT INTO mini_programs (wechat_appid, sealed_secret) VALUES (?, ?)', [
    OTHER_APPID,
    seal(secret, secretContext(OTHER_APPID)),
  ]);
  await stack.mysql.execute('UPDATE apps SET wechat_appid = ? WHERE app_id = ?', [OTHER_APPID, other.appId]);

  const code: IdentityWorld['code'] = (person, at = app, unionid) =>
    stack.wechat.issueCode({
      person,
      ...(at === other && { appid: OTHER_APPID }),
      ...(unionid === null && { unionid }),
    });
  const logIn: IdentityWorld['logIn'] = (person, at = app) =>
    stack.call(at, 'POST', '/login/wechat', { body: { code: code(person, at) } });
  const call: IdentityWorld['call'] = ({ app: at, session }, method, path, body) =>
    stack.call(at, method, path, { session, ...(body !== undefined && { body }) });
  const memberOf = (answer: TestAnswer, at: TestApp, account = ''): Member => {
    if (answer.status !== 200) throw new Error(`no login: ${answer.text}`);
    return { userId: answer.body.user.userId, session: answer.body.token, app: at, account };
  };

  return {
    stack,
    app,
    other,
    otherAppid: OTHER_APPID,
    newPerson: () => `person-${randomBytes(8).toString('hex')}`,
    code,
    logIn,
    wechatMember: async (person, at = app) => memberOf(await logIn(person, at), at),
    async passwordMember(at = app) {
      const { account, userId } = await insertAccount(stack.mysql, { quick: true });
      const { token } = await openBearerSession(at.appId, userId);
      return { userId, session: token, app: at, account };
    },
    async channelMember(channelUserId = randomBytes(6).toString('hex')) {
      const post = (path: string, body: object) => stack.call(app, 'POST', path, { body });
      const started = (await post('/login/channel', { channel: 'demo', channelUserId })).body;
      const timeStamp = String(Math.floor(Date.now() / 1000));
      const { accountAddress, firstString } = started;
      const digest = channelDigest('MD5', accountAddress, firstString, timeStamp);
      const { secondString } = (await post('/login/channel/verify', { accountAddress, digest, timeStamp })).body;
      const entry = { address: '127.0.0.1', port: 7000 };
      return memberOf(await post('/login/channel/enter', { accountAddress, secondString, entry }), app);
    },
    call,
    link: (member, kind, body) => call(member, 'POST', `/me/identities/${kind}`, body),
    unlink: (member, id, proof) => call(member, 'DELETE', `/me/identities/${id}`, proof && { proof }),
    identities: async (member) => (await call(member, 'GET', '/me/identities')).body.identities,
    async age({ app: { appId }, userId }) {
      await stack.mysql.execute(
        'UPDATE sessions SET created_at = NOW(3) - INTERVAL 1 HOUR WHERE app_id = ? AND user_id = ?',
        [appId, userId],
      );
      await stack.flush();
    },
  };
}
