import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { startPluginServer } from '../../local/simulators/plugin-server.ts';
import { pluginTokenKey } from '../../shared/plugin/token.ts';
import { event, NEXT_SECRET, signed } from '../support/plugin-push.ts';
import { startPluginWorld, type TestPlugin, type TestUser } from '../support/plugin-world.ts';

/** Tokens that are presented to the wrong server or route, and pushes by senders that may not push. */
let world: Awaited<ReturnType<typeof startPluginWorld>>;
let plugin: TestPlugin;
let other: TestPlugin;
let user: TestUser;
let token: string;
let expiresAt: string;

beforeAll(async () => {
  world = await startPluginWorld();
});

async function issueAgain() {
  plugin = await world.newPlugin({ fallback: true });
  other = await world.newPlugin({ fallback: true });
  user = await world.newUser();
  ({ pluginToken: token, expiresAt } = (await world.issue(user, plugin.pluginId)).body);
}

describe('a token of one plugin', () => {
  test('is not active at another plugin, which learns nothing else about it', async () => {
    await issueAgain();
    expect((await world.validate(other, token)).body).toEqual({ active: false });
    expect(await world.isServed(other, token)).toBe(false);
  });

  test('cannot be validated by another plugin’s app, by an app without the permission, or by an app of no plugin', async () => {
    await issueAgain();
    const validating = await world.stack.createApp({ scopes: ['plugin:validate'] });
    for (const app of [other.app, world.shop, validating]) {
      const body = { pluginToken: token };
      const answer = await world.stack.call(app, 'POST', `/plugins/${plugin.pluginId}/validate`, { body });
      expect([answer.status, answer.body.code]).toEqual([403, 'SCOPE_DENIED']);
      // The permission is checked before everything else in the call.
      const malformed = await world.stack.call(app, 'POST', `/plugins/${plugin.pluginId}/validate`, { body: 'no' });
      expect(malformed.body.code).toBe('SCOPE_DENIED');
    }
  });

  test('gives no access to the business API, and cannot be used to issue another plugin token', async () => {
    await issueAgain();
    const asSession = { session: token };
    const read = await world.stack.call(world.shop, 'GET', '/data/voucher/1', asSession);
    const exchange = await world.stack.call(world.shop, 'POST', `/plugins/${other.pluginId}/token`, asSession);
    expect([read.body.code, exchange.body.code]).toEqual(['LOGIN_REQUIRED', 'LOGIN_REQUIRED']);
    expect(other.server.received).toEqual([]);
  });
});

test('a session token is refused as a plugin token, by the plugin server and by validation', async () => {
  await issueAgain();
  expect(await world.isServed(plugin, user.session)).toBe(false);
  expect((await world.validate(plugin, user.session)).body).toEqual({ active: false });
});

test('no altered or invented token is active, and none costs more than one request to Redis', async () => {
  await issueAgain();
  const [, userId, sessionId, secret = ''] = token.split('.');
  const stranger = await world.newUser();
  const last = secret.slice(-1);
  const invented = [
    '',
    'p1',
    'p1...',
    token.slice(0, -1),
    `${token}A`,
    ` ${token}`,
    `${token}\n`,
    token.toUpperCase(),
    `p2.${userId}.${sessionId}.${secret}`,
    `p1.${stranger.userId}.${sessionId}.${secret}`,
    `p1.${userId}.${stranger.sessionId}.${secret}`,
    `p1.${userId}.${sessionId}.${randomBytes(32).toString('base64url')}`,
    // Another text for the same bytes: two bits of the last of the 43 characters have no meaning.
    `${token.slice(0, -1)}${String.fromCharCode(last.charCodeAt(0) + 1)}`,
    'x'.repeat(50_000),
    '__proto__',
  ];
  await world.validate(plugin, 'warm');
  await world.stack.resetCounters();
  for (const text of invented) {
    expect((await world.validate(plugin, text)).body, JSON.stringify(text.slice(0, 120))).toEqual({ active: false });
  }
  expect(await world.stack.counters()).toMatchObject({ redisRequests: invented.length, mysqlRequests: 0 });
  expect((await world.validate(plugin, token)).body.active).toBe(true);
});

test.each([[{}], [{ pluginToken: 1 }], [{ pluginToken: ['p1'] }], [{ pluginToken: 'p1', more: 1 }], [[]]])(
  'a body that is not { pluginToken } is refused with INVALID_INPUT: %j',
  async (body) => {
    await issueAgain();
    const answer = await world.stack.call(plugin.app, 'POST', `/plugins/${plugin.pluginId}/validate`, { body });
    expect([answer.status, answer.body.code]).toEqual([400, 'INVALID_INPUT']);
  },
);

describe('a plugin server', () => {
  async function push(kind: 'issued' | 'revoked', options: { secrets?: string[]; atMs?: number; id?: string } = {}) {
    const { userId } = user;
    const body = event(kind, token, { userId, pluginId: plugin.pluginId, expiresAt });
    const headers = signed(body, { secrets: [plugin.pushSecret], atMs: Date.now(), ...options });
    return (await fetch(plugin.server.pushUrl, { method: 'POST', headers, body })).status;
  }

  test('refuses a push that is forged, old, or signed with another plugin’s secret', async () => {
    await issueAgain();
    expect(await push('revoked', { secrets: [NEXT_SECRET] })).toBe(401);
    expect(await push('revoked', { secrets: [other.pushSecret] })).toBe(401);
    expect(await push('revoked', { atMs: Date.now() - 301_000 })).toBe(401);
    expect(await world.isServed(plugin, token)).toBe(true);
  });

  test('keeps a token revoked, also after later or repeated pushes', async () => {
    await issueAgain();
    expect(await push('revoked', { id: 'a' })).toBe(200);
    expect(await push('issued', { id: 'b' })).toBe(200);
    expect(await push('issued', { id: 'b' })).toBe(200);
    expect(await world.isServed(plugin, token)).toBe(false);
  });

  test('that lost its memory asks the backend about the token, and serves the user', async () => {
    await issueAgain();
    const backend = world.stack.client(plugin.app);
    const { pluginId, pushSecret } = plugin;
    const validate = (presented: string) => backend.validatePluginToken(pluginId, presented);
    const restarted = await startPluginServer({ pluginId, pushSecrets: [pushSecret], validate });
    expect(await world.isServed({ ...plugin, server: restarted }, token)).toBe(true);
    await restarted.stop();
  });
});

test('neither Redis nor MySQL holds a plugin token, a push secret or a private key', async () => {
  await issueAgain();
  await world.validate(plugin, token);
  const { redis, mysql } = world.stack;
  const keys = await redis.keys('*');
  const held = await Promise.all(
    keys.map(async (key) => `${key} ${(await redis.dump(key))?.toString()} ${await redis.get(key).catch(() => '')}`),
  );
  for (const key of keys.filter((name) => name.includes(':live:'))) held.push(...(await redis.zrange(key, '0', '-1')));
  const [plugins] = await mysql.query('SELECT * FROM plugins');
  const [appKeys] = await mysql.query('SELECT * FROM app_keys');
  const all = [...held, JSON.stringify(plugins), JSON.stringify(appKeys)].join('\n');
  expect(all).toContain(pluginTokenKey.family.name);
  const [, , , secret = ''] = token.split('.');
  for (const value of [token, secret, plugin.pushSecret, plugin.privateKey, user.session]) {
    expect(all.includes(value)).toBe(false);
  }
});
