import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { setUserDisabled } from '../../shared/account/change.ts';
import { writeStrict } from '../../shared/cache/write.ts';
import { write } from '../../shared/db.ts';
import { registerPlugin, removePlugin } from '../../shared/plugin/admin.ts';
import { revokePluginTokens } from '../../shared/plugin/plugin.ts';
import { sessionKeys } from '../../shared/session/devices.ts';
import { userVersionKey } from '../../shared/swept-keys.ts';
import { startPluginWorld, type TestPlugin, type TestUser } from '../support/plugin-world.ts';

let world: Awaited<ReturnType<typeof startPluginWorld>>;
beforeAll(async () => {
  world = await startPluginWorld();
});
afterEach(() => {
  world.stack.faults.redis = undefined;
  world.stack.faults.mysql = undefined;
});

async function issued(plugin: TestPlugin, user: TestUser): Promise<string> {
  const { body } = await world.issue(user, plugin.pluginId);
  return body.pluginToken;
}
const isActive = async (plugin: TestPlugin, token: string): Promise<boolean> =>
  (await world.validate(plugin, token)).body.active;

async function logOut({ session }: TestUser) {
  expect((await world.stack.call(world.shop, 'POST', '/logout', { session })).status).toBe(204);
}

/** Does what a changed password does to the session that stays valid. */
const moveVersion = ({ userId, sessionId }: TestUser) =>
  writeStrict([userVersionKey(userId), ...sessionKeys(world.shop.appId, userId, [sessionId])], async () => {
    await write('UPDATE users SET version = version + 1 WHERE user_id = ?', [userId]);
    await write('UPDATE sessions SET user_version = 2 WHERE user_id = ?', [userId]);
  });

describe('a plugin token is revoked', () => {
  test('with its session: at once for validation, and by a push for the plugin server', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    const tokens = [await issued(plugin, user), await issued(plugin, user)];
    await logOut(user);
    for (const token of tokens) {
      expect((await world.validate(plugin, token)).body).toEqual({ active: false });
      expect(await world.isServed(plugin, token)).toBe(false);
    }
    expect(world.pushes(plugin).filter(([type]) => type === 'revoked')).toHaveLength(2);
    const versions = plugin.server.received.map(({ body }) => JSON.parse(body).data.version);
    expect(versions).toEqual([1, 1, 2, 2]);
  });

  test('alone: the tokens of the user’s other sessions stay valid', async () => {
    const plugin = await world.newPlugin();
    const phone = await world.newUser();
    const tablet = { ...phone, ...(await world.newSession(phone.userId)) };
    const [onPhone, onTablet] = [await issued(plugin, phone), await issued(plugin, tablet)];
    await logOut(phone);
    expect([await isActive(plugin, onPhone), await isActive(plugin, onTablet)]).toEqual([false, true]);
    expect([await world.isServed(plugin, onPhone), await world.isServed(plugin, onTablet)]).toEqual([false, true]);
  });

  test('when the password changes, also if its session stays valid', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    const token = await issued(plugin, user);
    await moveVersion(user);
    await revokePluginTokens(world.shop.appId, user.userId, 'all');
    expect(await isActive(plugin, token)).toBe(false);
    expect(await world.isServed(plugin, token)).toBe(false);
    expect(await isActive(plugin, await issued(plugin, user))).toBe(true);
    expect(await isActive(plugin, token)).toBe(false);
  });

  test('with its user, when the operator disables them', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    const token = await issued(plugin, user);
    await setUserDisabled(user.userId, true);
    expect(await world.isServed(plugin, token)).toBe(false);
    expect(await isActive(plugin, token)).toBe(false);
    await world.stack.resetCounters();
    expect(await isActive(plugin, token)).toBe(false);
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });

  test('everywhere at the absolute end of its session', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser(world.shop, { maxSeconds: 4 });
    const token = await issued(plugin, user);
    expect(await world.isServed(plugin, token)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 4_100));
    expect(await isActive(plugin, token)).toBe(false);
    expect(await world.isServed(plugin, token)).toBe(false);
  });

  test('for validation, when its session was idle for too long', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser(world.shop, { idleSeconds: 4 });
    const token = await issued(plugin, user);
    expect(await isActive(plugin, token)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 4_100));
    expect(await isActive(plugin, token)).toBe(false);
  });

  test('while another write changes the session, as soon as MySQL has the revocation', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    const token = await issued(plugin, user);
    await writeStrict(sessionKeys(world.shop.appId, user.userId, [user.sessionId]), async () => {
      expect(await isActive(plugin, token)).toBe(true);
      await write('UPDATE sessions SET ended_at = NOW(3) WHERE user_id = ?', [user.userId]);
      expect(await isActive(plugin, token)).toBe(false);
    });
    expect(await isActive(plugin, token)).toBe(false);
  });
});

test('a plugin server that is down delays a logout by at most one second; validation knows it at once', async () => {
  const plugin = await world.newPlugin();
  const user = await world.newUser();
  const tokens = await Promise.all(Array.from({ length: 30 }, () => issued(plugin, user)));
  plugin.server.misbehave({ kind: 'hang' });
  const startedAt = Date.now();
  await logOut(user);
  expect(Date.now() - startedAt).toBeLessThan(5_000);
  for (const token of tokens) expect(await isActive(plugin, token)).toBe(false);
});

test('a revocation with nothing to revoke costs one request to Redis', async () => {
  const user = await world.newUser();
  await world.stack.resetCounters();
  await revokePluginTokens(world.shop.appId, user.userId, 'all');
  expect(await world.stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
});

test('when Redis is down, a revocation does not fail the call that makes it', async () => {
  const user = await world.newUser();
  world.stack.faults.redis = () => ({ kind: 'status', status: 500, body: '' });
  await revokePluginTokens(world.shop.appId, user.userId, 'all');
});

describe('validation', () => {
  test('asks MySQL once if Redis has lost the session, and the token stays active', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    const token = await issued(plugin, user);
    await world.stack.redis.del(...sessionKeys(world.shop.appId, user.userId, [user.sessionId]));
    await isActive(plugin, token);
    await world.stack.resetCounters();
    expect(await isActive(plugin, token)).toBe(true);
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 1 });
  });

  test('answers 503, not inactive, when neither engine answers', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    const token = await issued(plugin, user);
    await isActive(plugin, token);
    await world.stack.redis.del(...sessionKeys(world.shop.appId, user.userId, [user.sessionId]));
    world.stack.faults.mysql = () => ({ kind: 'status', status: 500, body: '' });
    expect((await world.validate(plugin, token)).body.code).toBe('UNAVAILABLE');
    world.stack.faults.redis = () => ({ kind: 'status', status: 500, body: '' });
    expect((await world.validate(plugin, token)).body.code).toBe('UNAVAILABLE');
  });
});

test('a removed plugin gets no tokens and its server is refused, until it is registered again', async () => {
  const plugin = await world.newPlugin();
  const user = await world.newUser();
  const token = await issued(plugin, user);
  await removePlugin(plugin.pluginId);
  expect((await world.validate(plugin, token)).status).toBe(403);
  const again = await registerPlugin({ pluginId: plugin.pluginId, serverUrl: plugin.server.pushUrl });
  expect(again.appId).not.toBe(plugin.appId);
  const { appId, privateKey } = again;
  expect((await world.validate({ ...plugin, app: { appId, privateKey } }, token)).body.active).toBe(true);
});

test('a plugin id can be registered once, also when two operators try at the same time', async () => {
  const plugin = { pluginId: 'twice', serverUrl: 'http://127.0.0.1:9/push' };
  const tries = await Promise.allSettled([registerPlugin(plugin), registerPlugin(plugin), registerPlugin(plugin)]);
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const attempt of tries) {
    if (attempt.status === 'rejected') expect(String(attempt.reason)).toContain('exists already');
  }
  const [apps] = await world.stack.mysql.query(`SELECT app_id FROM apps WHERE validates = 'twice'`);
  expect(apps).toHaveLength(1);
});
