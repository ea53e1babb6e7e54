import { createHash, randomBytes } from 'node:crypto';
import { executeOverHttp } from '../db/execute.ts';
import { deleteKeys } from '../shared/redis.ts';
import { sessionKey } from '../shared/swept-keys.ts';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';

export const DEMO = { account: 'demo', password: 'demo-password-1' };

/** Rows B1 to B4 (users): logins, sessions, and the user in every handler. */
export async function usersAndSessions({ story, caller, portal, app, env, run }: Scene): Promise<void> {
  const { step } = story;
  const sdk = caller.sdk(app);

  const session = await step('B1', 'a login with account and password returns a session token', async () => {
    const { token, user } = await sdk.login(DEMO);
    must(user.account === 'demo', 'the answer contains the user');
    return token;
  });
  await step('B1', 'a wrong password and an unknown account get the same answer', async () => {
    const wrong = { ...DEMO, password: 'demo-password-2' };
    const unknown = { ...DEMO, account: `nobody-${run}` };
    const first = answers(await caller.call(app, 'POST', '/login', { body: wrong }), 401, 'BAD_CREDENTIALS');
    const second = answers(await caller.call(app, 'POST', '/login', { body: unknown }), 401, 'BAD_CREDENTIALS');
    must(first.detail === second.detail, 'the answer does not show which account exists');
  });

  await step(
    'B2',
    'later calls send only the session token, and cost one request to Redis',
    async () => {
      must(answers(await caller.call(app, 'GET', '/me', { session }), 200).account === 'demo', 'it is user demo');
    },
    { redis: 1, mysql: 0 },
  );
  await step(
    'B2',
    'a missing and an invented session token are refused without a request to an engine',
    async () => {
      answers(await caller.call(app, 'GET', '/me', { remark: 'no session token' }), 401, 'LOGIN_REQUIRED');
      const forged = `${session.slice(0, -4)}${session.endsWith('AAAA') ? 'BBBA' : 'AAAA'}`;
      answers(await caller.call(app, 'GET', '/me', { session: forged, remark: 'forged' }), 401, 'LOGIN_REQUIRED');
    },
    { redis: 0, mysql: 0 },
  );

  await step('B3', 'an expired session token gets the code LOGIN_EXPIRED: log in again', async () => {
    const { token } = answers(await caller.call(app, 'POST', '/login', { body: DEMO }), 200);
    const [, userId = '', secret = ''] = token.split('.');
    const sessionId = createHash('sha256').update(secret).digest('hex').slice(0, 32);
    // Simulates seven days without a call: changes the time in its row, and deletes the copy in Redis.
    const execute = executeOverHttp(env.DATABASE_URL ?? '');
    await execute(
      'UPDATE sessions SET idle_until = NOW(3) - INTERVAL 1 SECOND WHERE app_id = ? AND user_id = ? AND session_id = ?',
      [app.appId, userId, sessionId],
    );
    await deleteKeys([sessionKey(app.appId, userId, sessionId)]);
    const refused = await caller.call(app, 'GET', '/me', { session: token, remark: 'its seven days are over' });
    answers(refused, 401, 'LOGIN_EXPIRED');
  });
  await step('B3', 'a logout ends the session at once', async () => {
    const other = caller.sdk(app);
    const { token } = await other.login(DEMO);
    await other.logout();
    answers(await caller.call(app, 'GET', '/me', { session: token }), 401, 'SESSION_REVOKED');
  });

  await step('B4', 'each app registers its own user fields, and does not see the fields of other apps', async () => {
    const second = await portal('app', 'create', '--name', `demo-second-${run}`);
    const schema = (name: string, type: string) => JSON.stringify({ type: 'object', properties: { [name]: { type } } });
    await register(portal, app.appId, schema('memberLevel', 'string'));
    await register(portal, second.appId, schema('deskNumber', 'integer'));
    const elsewhere = caller.sdk(second);
    await elsewhere.login(DEMO);
    await sdk.request('PUT', '/me', { body: { fields: { memberLevel: 'gold' } } });
    await elsewhere.request('PUT', '/me', { body: { fields: { deskNumber: 12 } } });
    const here = await sdk.request<{ fields: unknown }>('GET', '/me');
    const there = await elsewhere.request<{ fields: unknown }>('GET', '/me');
    must(JSON.stringify(here.fields) === '{"memberLevel":"gold"}', 'the first app sees its own field');
    must(JSON.stringify(there.fields) === '{"deskNumber":12}', 'the second app sees its own');
    await elsewhere.logout();
    await portal('app', 'disable', '--app', second.appId);
  });
  await step('B4', 'a handler gets the current user, loaded once; records of other users are not found', async () => {
    answers(await caller.call(app, 'GET', '/data/voucher/1', { session, remark: 'voucher of demo' }), 200);
    const account = `reader-${run}`;
    const password = randomBytes(12).toString('base64url');
    await sdk.register({ account, password });
    const other = caller.sdk(app);
    await other.login({ account, password });
    must((await other.readOne('voucher', 1)) === null, 'another user does not see it');
    await other.deleteAccount({ password });
  });
  await sdk.logout();
}

async function register(portal: Scene['portal'], appId: string, schema: string): Promise<void> {
  const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const folder = await mkdtemp(join(tmpdir(), 'miniapp-demo-'));
  try {
    const file = join(folder, 'fields.json');
    await writeFile(file, schema);
    await portal('app', 'fields', '--app', appId, '--json-schema', file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
