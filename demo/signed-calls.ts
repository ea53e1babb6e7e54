import { randomUUID } from 'node:crypto';
import type { App } from './caller.ts';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';

const READ = ['GET', '/data/notice/1'] as const;

/** Rows A1 to A5 (signed calls): apps, keys, signatures, and refusals. */
export async function signedCalls({ story, caller, portal, app, run }: Scene): Promise<void> {
  const { step } = story;
  const nobody: App = { appId: randomUUID(), privateKey: 'x'.repeat(43) };

  await step('A2', 'the portal gives a caller an AppID and a privateKey, shown once', async () => {
    const made = await portal('app', 'create', '--name', `demo-reader-${run}`, '--scopes', 'data:read');
    must(/^[0-9a-f-]{36}$/.test(made.appId) && made.privateKey.length >= 32, 'an AppID in UUID form and a privateKey');
    const shown = await portal('app', 'show', '--app', made.appId);
    must(!JSON.stringify(shown).includes(made.privateKey), 'the privateKey is not shown again');
    await portal('app', 'disable', '--app', made.appId);
  });

  await step(
    'A1 A3 A5',
    'a call signed with the privateKey is served, in one request to Redis',
    async () => {
      const token = caller.sign(app, ...READ);
      const members = Object.keys(JSON.parse(Buffer.from(token, 'base64').toString('utf8')))
        .sort()
        .join();
      must(members === 'AppID,nonce,signature,signatureMethod,timeStamp', 'the access_token is base64 of five members');
      answers(await caller.call(app, ...READ, { token }), 200);
    },
    { redis: 1, mysql: 0 },
  );

  await step('A4', 'version 1 of the signature is accepted too: sorted, joined, SHA1, hex', async () => {
    answers(await caller.call(app, ...READ, { method: 'SHA1', remark: 'v1, SHA1' }), 200);
    answers(await caller.call(app, ...READ, { method: 'MD5', remark: 'MD5, not allowed to this app' }), 403);
  });

  await step(
    'A5',
    'a wrong signature, an old timeStamp and an invented AppID are refused without a request to an engine',
    async () => {
      answers(await caller.call({ ...app, privateKey: 'wrong' }, ...READ, { remark: 'wrong privateKey' }), 403);
      const old = Math.floor(Date.now() / 1000) - 301;
      answers(await caller.call(app, ...READ, { timeStamp: old, remark: 'signed 301 s ago' }), 403);
      answers(await caller.call(nobody, ...READ, { remark: 'invented AppID' }), 403);
      answers(await caller.plain(...READ, {}, undefined, 'no access_token'), 401);
    },
    { redis: 0, mysql: 0 },
  );

  await step(
    'A5',
    'an access_token is valid once',
    async () => {
      const token = caller.sign(app, ...READ);
      answers(await caller.call(app, ...READ, { token }), 200);
      answers(await caller.call(app, ...READ, { token, remark: 'the same token again' }), 401, 'REPLAYED');
    },
    { redis: 2, mysql: 0 },
  );

  await step('A1', 'the token also proves permission: a call outside the scopes of the app is refused', async () => {
    const reader = await portal('app', 'create', '--name', `demo-scopes-${run}`, '--scopes', 'data:read');
    answers(await caller.call(reader, ...READ), 200);
    const body = { account: 'demo', password: 'demo-password-1' };
    answers(await caller.call(reader, 'POST', '/login', { body, remark: 'has data:read only' }), 403, 'SCOPE_DENIED');
    await portal('app', 'disable', '--app', reader.appId);
    answers(await caller.call(reader, 'POST', '/login', { body, remark: 'app disabled' }), 403, 'SCOPE_DENIED');
  });

  await step(
    'A1',
    'calls that change money or credentials refuse signatures of version 1',
    async () => {
      const body = { account: `demo-${run}`, password: 'no-matter-what' };
      answers(
        await caller.call(app, 'POST', '/accounts', { body, method: 'SHA1', remark: 'v1' }),
        403,
        'SIGNATURE_TOO_WEAK',
      );
    },
    { redis: 0, mysql: 0 },
  );
}
