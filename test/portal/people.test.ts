import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pointSamplesAt, registerSamples } from '../../local/samples.ts';
import { isSealedUnderFormerKey } from '../../shared/master-key.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: TestStack;
let app: TestApp;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder('portal');
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
});
afterAll(() => folder.remove());

const login = async () =>
  (await stack.call(app, 'POST', '/login', { body: { account: 'demo', password: 'demo-password-1' } })).body;

describe('portal user', () => {
  test('a disabled user is refused with the next request and cannot log in until enabled again', async () => {
    const { token, user } = await login();
    const me = () => stack.call(app, 'GET', '/me', { session: token });
    expect(await me()).toMatchObject({ status: 200 });
    await portalJson(['user', 'disable', '--user', user.userId]);
    expect(await me()).toMatchObject({ status: 401, body: { code: 'SESSION_REVOKED' } });
    expect(await login()).toMatchObject({ code: 'BAD_CREDENTIALS' });
    await portalJson(['user', 'enable', '--user', user.userId]);
    expect(await login()).toMatchObject({ token: expect.any(String) });
    const { entries } = await portalJson(['operator-log', 'list', '--subject', user.userId]);
    expect(entries).toMatchObject([{ action: 'user.enable' }, { action: 'user.disable' }]);
  });

  test('a user is found by login name, in upper or lower case', async () => {
    const { user } = await login();
    const found = await portalJson(['user', 'find', '--account', 'DEMO']);
    expect(found).toEqual({
      userId: user.userId,
      account: 'demo',
      state: 'enabled',
      mergedInto: null,
      loginBy: 'password',
      phone: null,
      identities: 1,
      platforms: ['password'],
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(await portalJson(['user', 'find', '--user', user.userId])).toEqual(found);
    const nobody = await portalHere(['user', 'find', '--openid', 'demo']);
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no user with this openid') });
    const both = await portalHere(['user', 'find', '--openid', 'o', '--account', 'demo']);
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('one of --account, --openid, --user') });
  });

  test('a command on an unknown user ends with one sentence', async () => {
    const run = await portalHere(['user', 'disable', '--user', 'demo']);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no user demo') });
    // An old id: new ids never begin with a dash.
    const dashed = await portalHere(['user', 'disable', '--user', '-jA-8YeAsIFm3APn5GWXmA', '--json']);
    expect(dashed).toMatchObject({ code: 1, json: { error: expect.stringContaining('There is no user -jA-8Y') } });
  });
});

describe('portal plugin', () => {
  const add = (id: string) => portalJson(['plugin', 'add', '--id', id, '--server', 'http://127.0.0.1:9/push']);

  test('a plugin gets an app that can validate the plugin’s tokens and nothing else', async () => {
    const added = await add('weather');
    expect(Object.keys(added)).toEqual(['pluginId', 'appId', 'privateKey', 'pushSecret']);
    expect(added.pushSecret).toMatch(/^whsec_/);
    expect(await portalJson(['app', 'show', '--app', added.appId])).toMatchObject({
      scopes: ['plugin:validate'],
      validates: 'weather',
    });
    const validate = (id: string) =>
      stack.call(added, 'POST', `/plugins/${id}/validate`, { body: { pluginToken: 'p1.a.b.c' } });
    expect(await validate('weather')).toMatchObject({ status: 200, body: { active: false } });
    await add('maps');
    expect(await validate('maps')).toMatchObject({ status: 403, body: { code: 'SCOPE_DENIED' } });
    expect(await portalHere(['plugin', 'add', '--id', 'maps', '--server', 'http://127.0.0.1:9/'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exists already'),
    });
  });

  test('a plugin can be moved, its secret rotated, and the plugin removed', async () => {
    const { pushSecret } = await add('radio');
    await portalJson(['plugin', 'move', '--id', 'radio', '--server', 'http://127.0.0.1:10/push']);
    const rotated = await portalJson(['plugin', 'rotate-secret', '--id', 'radio']);
    expect(rotated.pushSecret).not.toBe(pushSecret);
    const listed = async () =>
      (await portalJson(['plugin', 'list'])).plugins.find(({ pluginId }: { pluginId: string }) => pluginId === 'radio');
    expect(await listed()).toMatchObject({
      serverUrl: 'http://127.0.0.1:10/push',
      rotatesUntil: expect.stringMatching(/^\d{4}-/),
    });
    await portalJson(['plugin', 'remove', '--id', 'radio']);
    expect(await listed()).toBeUndefined();
    for (const verb of ['remove', 'rotate-secret']) {
      expect(await portalHere(['plugin', verb, '--id', 'radio'])).toMatchObject({ code: 1 });
    }
  });
});

describe('portal app fields', () => {
  const register = (schema: object) => {
    const file = join(folder.path, 'fields.json');
    writeFileSync(file, JSON.stringify(schema));
    return portalHere(['app', 'fields', '--app', app.appId, '--json-schema', file, '--json']);
  };

  test('registered fields are stored for the users of this app, and shown', async () => {
    const schema = { type: 'object', properties: { level: { type: 'integer', minimum: 1 } } };
    expect(await register(schema)).toMatchObject({ code: 0 });
    const { token } = await login();
    const body = { profile: { nickname: 'Demo' }, fields: { level: 3 } };
    expect(await stack.call(app, 'PUT', '/me', { session: token, body })).toMatchObject({
      body: { fields: { level: 3 } },
    });
    expect(await portalJson(['app', 'fields', '--app', app.appId])).toEqual({ appId: app.appId, schema });
    await portalJson(['app', 'fields', '--app', app.appId, '--remove']);
    expect(await portalJson(['app', 'fields', '--app', app.appId])).toMatchObject({ schema: null });
  });

  test('reserved names are refused', async () => {
    const refused = await register({ type: 'object', properties: { userId: { type: 'string' } } });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('reserved') });
  });
});

describe('portal hot', () => {
  test('shows the records that are read most', async () => {
    for (let call = 0; call < 8; call++) {
      const query = 'ids=1,2,3';
      for (let many = 0; many < 40; many++) await stack.call(app, 'GET', '/data/notice', { query });
      const { keys } = await portalJson(['hot']);
      if (keys.length > 0) {
        expect(keys[0]).toMatchObject({ name: expect.stringMatching(/^notice:[123]$/) });
        return;
      }
    }
    throw new Error('none of 320 reads was counted');
  });
});

describe('portal master-key reseal', () => {
  test('secrets are sealed again under the new key while calls pass; a second run changes nothing', async () => {
    const { MASTER_KEY: former = '' } = process.env;
    const caller = await portalJson(['app', 'create', '--name', 'old']);
    try {
      process.env.MASTER_KEY = randomBytes(32).toString('hex');
      process.env.MASTER_KEY_OLD = former;
      const first = await portalJson(['master-key', 'reseal']);
      expect(first.resealed['app_keys.sealed_key']).toBeGreaterThan(0);
      expect(first.resealed['plugins.sealed_secret']).toBeGreaterThan(0);
      expect(first).toMatchObject({ unreadable: [], appIdsOfFormerKeys: expect.any(Number) });
      expect(first.appIdsOfFormerKeys).toBeGreaterThan(0);
      await stack.api.reload();
      expect((await stack.call(caller, 'GET', '/data/notice/1')).status).toBe(200);
      const second = await portalJson(['master-key', 'reseal']);
      expect(Object.values(second.resealed)).toEqual(Object.values(second.resealed).map(() => 0));
      const [rows] = await stack.mysql.query('SELECT sealed_key AS sealed FROM app_keys');
      expect((rows as Array<{ sealed: string }>).filter(({ sealed }) => isSealedUnderFormerKey(sealed))).toEqual([]);
    } finally {
      process.env.MASTER_KEY_OLD = process.env.MASTER_KEY;
      process.env.MASTER_KEY = former;
      await portalJson(['master-key', 'reseal']);
      delete process.env.MASTER_KEY_OLD;
    }
  });

  test('after the loss of the key, a secret that no known key opens is named and not changed', async () => {
    const { MASTER_KEY: former = '' } = process.env;
    try {
      process.env.MASTER_KEY = randomBytes(32).toString('hex');
      expect(await portalHere(['master-key', 'reseal'])).toMatchObject({ code: 1 });
      await portalJson(['master-key', 'accept']);
      const report = await portalJson(['master-key', 'reseal']);
      expect(report.unreadable).toContainEqual(`app_keys.sealed_key of ${app.appId} ${await keyIdOf(app.appId)}`);
      expect(report.resealed['app_keys.sealed_key']).toBe(0);
    } finally {
      process.env.MASTER_KEY = former;
      await portalJson(['master-key', 'accept']);
    }
  });

  const keyIdOf = async (appId: string): Promise<string> => {
    const [rows] = await stack.mysql.query('SELECT key_id FROM app_keys WHERE app_id = ?', [appId]);
    return (rows as Array<{ key_id: string }>)[0]?.key_id ?? '';
  };
});

describe('samples of npm run dev', () => {
  test('are the same app and plugin at every start; only the owner of the folder can read their secrets', async () => {
    const lines: string[] = [];
    const register = () => registerSamples(folder.path, (line) => lines.push(line));
    const first = await register();
    await pointSamplesAt({ pushUrl: 'http://127.0.0.1:11/push', verifyUrl: 'http://127.0.0.1:12/verify' });
    expect(await register()).toEqual(first);
    expect((await stack.call(first.app, 'GET', '/data/notice/1')).status).toBe(200);
    expect(statSync(join(folder.path, 'samples.json')).mode & 0o777).toBe(0o600);
    for (const secret of [first.app.privateKey, first.plugin.privateKey, first.plugin.pushSecret]) {
      expect(lines.join('\n')).not.toContain(secret);
    }
    writeFileSync(join(folder.path, 'samples.json'), '{}');
    const again = await register();
    expect(again.app.appId).not.toBe(first.app.appId);
    expect(again.plugin.appId).not.toBe(first.plugin.appId);
  });

  test('have a new key after the one of the sample app was rotated and revoked', async () => {
    const register = () => registerSamples(folder.path, () => {});
    const { app: before } = await register();
    await portalJson(['app', 'rotate-key', '--app', before.appId]);
    expect((await register()).app, 'the old key is valid for 24 hours').toEqual(before);
    await portalJson(['app', 'revoke-key', '--app', before.appId, '--key', 'k1']);
    const { app: after } = await register();
    expect(after).toMatchObject({ appId: before.appId, keyId: 'k3' });
    expect((await stack.call(after, 'GET', '/data/notice/1')).status).toBe(200);
    expect((await register()).app).toEqual(after);
  });
});
