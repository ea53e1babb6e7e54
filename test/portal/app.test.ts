import { beforeAll, describe, expect, test } from 'vitest';
import { portalHere as portal, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});

const newApp = (...options: string[]): Promise<TestApp> => portalJson(['app', 'create', '--name', 'shop', ...options]);

const read = async (app: TestApp, signature: 'v1' | 'v2' = 'v2'): Promise<number> =>
  (await stack.call(app, 'GET', '/data/notice/1', { signature })).status;
/**
 * A call that changes something. If it passes the authorizer and the mark of a disabled app, it is refused because it
 * has no session.
 */
const change = async (app: TestApp): Promise<number> =>
  (await stack.call(app, 'POST', '/login', { body: { account: 'nobody', password: 'wrong-password' } })).status;

describe('portal app', () => {
  test('issues an AppID and a privateKey; calls signed with them are accepted', async () => {
    const app = await newApp();
    expect(Object.keys(app)).toEqual(['appId', 'privateKey']);
    expect(app.appId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Buffer.from(app.privateKey, 'base64url')).toHaveLength(32);
    expect(await read(app)).toBe(404);
    expect(await read(app, 'v1')).toBe(404);
  });

  test('an app has the methods and scopes that were asked for, and no others', async () => {
    const app = await newApp('--methods', 'HMAC-SHA256', '--scopes', 'login,recharge');
    expect(await read(app, 'v1')).toBe(403);
    const answer = await stack.call(app, 'GET', '/data/notice/1');
    expect(answer).toMatchObject({ status: 403, body: { code: 'SCOPE_DENIED' } });
    expect(await portalJson(['app', 'show', '--app', app.appId])).toMatchObject({
      methods: ['HMAC-SHA256'],
      scopes: ['login', 'recharge'],
      keys: [{ keyId: 'k1', state: 'live', endsAt: null }],
    });
    const { apps } = await portalJson(['app', 'list']);
    expect(apps.map(({ appId }: TestApp) => appId)).toContain(app.appId);
  });

  test('a disabled app is refused at once by calls that change something, and by each new instance', async () => {
    const app = await newApp();
    expect([await read(app), await change(app)]).not.toContain(403);
    await portalJson(['app', 'disable', '--app', app.appId]);
    expect(await change(app)).toBe(403);
    await stack.api.reload();
    expect(await read(app)).toBe(403);
    await portalJson(['app', 'enable', '--app', app.appId]);
    await stack.api.reload();
    expect([await read(app), await change(app)]).not.toContain(403);
  });

  test('a key is rotated without an outage: the old key stays valid beside the new one', async () => {
    const app = await newApp();
    expect(await read(app)).toBe(404);
    const rotated = await portalJson(['app', 'rotate-key', '--app', app.appId]);
    expect(rotated).toMatchObject({ keyId: 'k2', oldKeyId: 'k1' });
    const hoursLeft = (Date.parse(rotated.oldKeyEndsAt) - Date.now()) / 3_600_000;
    expect(hoursLeft).toBeGreaterThan(23.9);
    expect(hoursLeft).toBeLessThanOrEqual(24);
    expect(await read(app)).toBe(404);
    await stack.api.reload();
    expect(await read(app)).toBe(404);
    expect(await read({ ...app, privateKey: rotated.privateKey })).toBe(404);
    const third = await portal(['app', 'rotate-key', '--app', app.appId]);
    expect(third).toMatchObject({ code: 1, stderr: expect.stringContaining('two live keys already') });
  });

  test('of two rotations at once one is refused: an app never has three live keys', async () => {
    const app = await newApp();
    const runs = await Promise.all([1, 2].map(() => portal(['app', 'rotate-key', '--app', app.appId])));
    expect(runs.map(({ code }) => code).sort()).toEqual([0, 1]);
    const { keys } = await portalJson(['app', 'show', '--app', app.appId]);
    expect(keys).toHaveLength(2);
  });

  test('a revoked key is refused at once by calls that change something; the other key stays valid', async () => {
    const app = await newApp();
    const { privateKey } = await portalJson(['app', 'rotate-key', '--app', app.appId]);
    await stack.api.reload();
    const renewed = { ...app, privateKey };
    expect([await change(app), await change(renewed)]).not.toContain(403);
    expect(await portalJson(['app', 'revoke-key', '--app', app.appId, '--key', 'k1'])).toMatchObject({ liveKeys: 1 });
    expect(await change(app)).toBe(403);
    expect(await change(renewed)).not.toBe(403);
    await portalJson(['app', 'disable', '--app', app.appId]);
    await portalJson(['app', 'enable', '--app', app.appId]);
    expect(await change(app), 'enabling the app does not restore a revoked key').toBe(403);
    await stack.api.reload();
    expect([await read(app), await read(renewed)]).toEqual([403, 404]);
  });

  test('keys are stored sealed, and each change is in the operator log with the operator who made it', async () => {
    const app = await newApp('--actor', 'mei@desk');
    await portalJson(['app', 'disable', '--app', app.appId, '--actor', 'mei@desk']);
    const [rows] = await stack.mysql.query('SELECT * FROM app_keys');
    const keys = await stack.redis.keys('*');
    const values = await Promise.all(keys.map((key) => stack.redis.get(key).catch(() => '')));
    expect(JSON.stringify([rows, values])).not.toContain(app.privateKey);
    const { entries } = await portalJson(['operator-log', 'list', '--subject', app.appId]);
    expect(entries).toMatchObject([
      { actor: 'mei@desk', action: 'app.disable' },
      { actor: 'mei@desk', action: 'app.create', detail: { name: 'shop' } },
    ]);
    expect(JSON.stringify(entries)).not.toContain(app.privateKey);
  });

  test('every command on an unknown app ends with one sentence', async () => {
    for (const verb of ['show', 'disable', 'enable', 'rotate-key', 'fields']) {
      const run = await portal(['app', verb, '--app', '00000000-0000-8000-8000-000000000000', '--json']);
      expect(run, verb).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no app') });
      expect(run.json).toMatchObject({ error: expect.stringContaining('app list') });
    }
  });
});
