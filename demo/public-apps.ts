import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../client/miniapp-client.ts';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';
import { DEMO } from './users.ts';

const READ = ['GET', '/data/notice/1'] as const;

/** Rows A1, A2, A4, A5 and B2 for packages that everybody can read: no key, and how a shipped app moves there. */
export async function publicApps({ story, caller, portal, tape, run, url }: Scene): Promise<void> {
  const { step } = story;
  const clientOf = (appId: string) => createClient({ appId, baseUrl: url, transport: tape.transport });

  const made = await step('A2', 'a public app has an AppID and no key: its package holds no secret', async () => {
    const opened = ['--public', '--open', 'password'];
    const created = await portal('app', 'create', '--name', `demo-public-${run}`, ...opened);
    must(!('privateKey' in created), 'no privateKey is made');
    return created as { appId: string };
  });
  const api = clientOf(made.appId);

  await step('A1', 'before a login it may call what the operator opened, and nothing else', async () => {
    const failure = await api.readOne('notice', 1).catch((error: { code?: string }) => error.code);
    must(failure === 'LOGIN_REQUIRED', 'a read without a login is refused');
  });
  await step('B1 A4', 'a login answers a session and the key that signs later calls', async () => {
    const { user } = await api.login(DEMO);
    must(user.account === 'demo', 'the answer contains the user');
  });
  await step(
    'A3 B2',
    'a call that the session signs costs one request to Redis, like one that a key signs',
    async () => {
      must((await api.readOne<{ id: string }>('notice', 1))?.id === '1', 'the record is read');
    },
    { redis: 1, mysql: 0 },
  );
  await step('B3', 'a logout ends the session, and its key signs nothing any more', async () => {
    await api.logout();
    const failure = await api.me().catch((error: { code?: string }) => error.code);
    must(failure === 'LOGIN_REQUIRED', 'the client forgot session and key');
  });
  await portal('app', 'disable', '--app', made.appId);

  const shipped = await portal('app', 'create', '--name', `demo-shipped-${run}`);
  const next = clientOf(shipped.appId);
  await step(
    'A2 A4',
    'a shipped app answers to its key and to a new package without a key, at the same time',
    async () => {
      answers(await caller.call(shipped, ...READ, { remark: 'the shipped package, version 2' }), 200);
      await portal('app', 'public', '--app', shipped.appId, '--open', 'password');
      await loggedIn(next);
      answers(await caller.call(shipped, ...READ, { remark: 'the shipped package, still version 2' }), 200);
      must((await next.me()).account === 'demo', 'the new package signs by its session');
    },
  );
  await step('A2', 'when no call is signed with the key any more, the key ends: app public --only', async () => {
    const shown = await portal('app', 'show', '--app', shipped.appId);
    must(String(shown.kind).startsWith('both'), 'until now it has both sides');
    await portal('app', 'public', '--app', shipped.appId, '--only');
    const body = { code: 'no-matter-which' };
    answers(await caller.call(shipped, 'POST', '/login/wechat', { body, remark: 'the shipped package' }), 403);
    must((await next.me()).account === 'demo', 'the new package still works');
  });
  await portal('app', 'disable', '--app', shipped.appId);
}

/** A process that has the app's record asks MySQL for it again after a refusal, at most every five seconds. */
async function loggedIn(api: Pick<ReturnType<typeof createClient>, 'login'>): Promise<void> {
  for (let second = 0; second < 7; second++) {
    const code = await api.login(DEMO).then(
      () => '',
      (failure: { code?: string }) => failure.code,
    );
    if (code === '') return;
    must(code === 'FORBIDDEN', 'nothing but the old record of the app stands in the way');
    await sleep(1_000);
  }
  must(false, 'the new package may log in within five seconds');
}
