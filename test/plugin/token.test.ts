import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { rotatePluginSecret } from '../../shared/plugin/admin.ts';
import { pluginTokenKey } from '../../shared/plugin/token.ts';
import { atTime } from '../support/clock.ts';
import { startPluginWorld } from '../support/plugin-world.ts';

let world: Awaited<ReturnType<typeof startPluginWorld>>;
beforeAll(async () => {
  world = await startPluginWorld();
});

describe('a plugin token', () => {
  test('is pushed to the plugin server before the client has it, and is accepted there', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    const answer = await world.issue(user, plugin.pluginId);
    expect(answer.status).toBe(201);
    const { pluginToken, expiresAt, server } = answer.body;
    expect(Object.keys(answer.body).sort()).toEqual(['expiresAt', 'pluginToken', 'server']);
    expect(pluginToken).toMatch(new RegExp(`^p1\\.${user.userId}\\.${user.sessionId}\\.[A-Za-z0-9_-]{43}$`));
    expect(server).toBe(plugin.server.pushUrl);
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(600_000);
    expect(await world.isServed(plugin, pluginToken)).toBe(true);
  });

  test('is pushed to the plugin server only as a hash', async () => {
    const plugin = await world.newPlugin();
    const { body } = await world.issue(await world.newUser(), plugin.pluginId);
    const [push] = plugin.server.received;
    const { data } = JSON.parse(push?.body ?? '');
    expect(data.hash).toBe(createHash('sha256').update(body.pluginToken).digest('hex'));
    expect(data).toMatchObject({ pluginId: plugin.pluginId, expiresAt: body.expiresAt, version: 1 });
    expect(push?.body).not.toContain(body.pluginToken.split('.')[3]);
  });

  test('costs two requests to Redis and none to MySQL; its validation costs one request to Redis', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    await world.issue(user, plugin.pluginId);
    await world.validate(plugin, 'p1.warm');
    await world.stack.resetCounters();
    const { body } = await world.issue(user, plugin.pluginId);
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 2, mysqlRequests: 0 });
    await world.stack.resetCounters();
    const { body: validation } = await world.validate(plugin, body.pluginToken);
    const { userId } = user;
    const { expiresAt } = body;
    expect(validation).toEqual({ active: true, userId, pluginId: plugin.pluginId, expiresAt });
    const counters = await world.stack.counters();
    expect(counters).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
    expect(counters.redisCommands, JSON.stringify(counters.byCommand)).toBeLessThanOrEqual(9);
  });

  test('does not end an earlier one of the same session', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    const tokens = [await world.issue(user, plugin.pluginId), await world.issue(user, plugin.pluginId)];
    for (const { body } of tokens) {
      expect(await world.isServed(plugin, body.pluginToken)).toBe(true);
      expect((await world.validate(plugin, body.pluginToken)).body.active).toBe(true);
    }
  });

  test('is valid until its record in Redis ends, which is when the answer says, and no longer', async () => {
    const plugin = await world.newPlugin();
    const { body } = await world.issue(await world.newUser(), plugin.pluginId);
    const record = pluginTokenKey(createHash('sha256').update(body.pluginToken).digest('hex'));
    const isActive = async (): Promise<boolean> => (await world.validate(plugin, body.pluginToken)).body.active;
    expect(Math.abs((await world.stack.redis.pexpiretime(record)) - Date.parse(body.expiresAt))).toBeLessThan(5_000);
    expect(await isActive()).toBe(true);
    await world.stack.redis.pexpire(record, 1);
    await expect.poll(() => world.stack.redis.exists(record)).toBe(0);
    expect(await isActive()).toBe(false);
  });

  test('lives for ten minutes by Redis’ clock, whatever the clock of the function is', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    for (const skewMs of [-60_000, 60_000]) {
      const { body } = await atTime(Date.now() + skewMs, () => world.issue(user, plugin.pluginId));
      const record = pluginTokenKey(createHash('sha256').update(body.pluginToken).digest('hex'));
      const leftMs = await world.stack.redis.pttl(record);
      expect(Math.abs(leftMs - 600_000)).toBeLessThan(30_000);
    }
  });

  test('never ends later than its session', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser(world.shop, { maxSeconds: 120 });
    const [[row]] = (await world.stack.mysql.query('SELECT ends_at FROM sessions WHERE user_id = ?', [
      user.userId,
    ])) as unknown as [[{ ends_at: Date }]];
    const { body } = await world.issue(user, plugin.pluginId);
    expect(body.expiresAt).toBe(row.ends_at.toISOString());
  });

  test('belongs to the app that asked: at another app the same user has another session', async () => {
    const plugin = await world.newPlugin();
    const other = await world.stack.createApp();
    const user = await world.newUser();
    expect((await world.issue(user, plugin.pluginId, other)).body.code).toBe('LOGIN_EXPIRED');
    expect(plugin.server.received).toEqual([]);
  });

  test('is signed with both secrets while the push secret is rotated, so that either server accepts it', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    await rotatePluginSecret(plugin.pluginId);
    // The simulator still has only the former secret.
    const { body } = await world.issue(user, plugin.pluginId);
    expect(await world.isServed(plugin, body.pluginToken)).toBe(true);
  });

  test('is issued at most 60 times a minute for one user', async () => {
    const plugin = await world.newPlugin();
    const user = await world.newUser();
    const answers = await Promise.all(Array.from({ length: 70 }, () => world.issue(user, plugin.pluginId)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(60);
    const refused = answers.find(({ status }) => status !== 201);
    expect([refused?.body.code, refused?.headers.get('ratelimit-policy')]).toEqual([
      'LOCKED',
      '"plugin-tokens";q=60;w=60',
    ]);
    expect((await world.issue(await world.newUser(), plugin.pluginId)).status).toBe(201);
  });
});

describe('a plugin id', () => {
  test.each(['nobody', '__proto__', 'constructor', 'a.b', ' ', 'x'.repeat(65), 'x'.repeat(6_000)])(
    'that is not registered is UNKNOWN_PLUGIN, before a login is asked for (%#)',
    async (pluginId) => {
      const answer = await world.issue(undefined, pluginId);
      expect([answer.status, answer.body.code]).toEqual([404, 'UNKNOWN_PLUGIN']);
    },
  );

  test('cannot be a path or an address', async () => {
    const { session } = await world.newUser();
    for (const pluginId of ['..%2fa', 'http:%2f%2fexample.com', '../a', 'x'.repeat(10_240)]) {
      // v1 does not bind the path, so that the signature is not what refuses.
      const headers = world.stack.sign(world.shop, 'POST', '/', { session, signature: 'v1' });
      const { status } = await world.stack.send('POST', `/plugins/${pluginId}/token`, headers);
      expect([pluginId.slice(0, 20), status >= 400 && status < 500]).toEqual([pluginId.slice(0, 20), true]);
    }
  });

  test('that is not registered causes no query to MySQL, however many are tried', async () => {
    await world.issue(undefined, 'nobody');
    await world.stack.resetCounters();
    for (let i = 0; i < 20; i++) await world.issue(undefined, `nobody-${i}`);
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 20, mysqlRequests: 0 });
  });

  test('that is not on the app’s list is unknown to the app', async () => {
    const [mine, other] = [await world.newPlugin(), await world.newPlugin()];
    const app = await world.stack.createApp({ plugins: [mine.pluginId] });
    const user = await world.newUser(app);
    expect((await world.issue(user, mine.pluginId, app)).status).toBe(201);
    expect((await world.issue(user, other.pluginId, app)).body.code).toBe('UNKNOWN_PLUGIN');
    expect(other.server.received).toEqual([]);
  });
});

test('an app without the permission gets no plugin token', async () => {
  const plugin = await world.newPlugin();
  const app = await world.stack.createApp({ scopes: ['data:read'] });
  const answer = await world.issue(await world.newUser(app), plugin.pluginId, app);
  expect([answer.status, answer.body.code]).toEqual([403, 'SCOPE_DENIED']);
});

test('a session that ended gets no plugin token', async () => {
  const plugin = await world.newPlugin();
  const user = await world.newUser();
  await world.stack.mysql.execute(`UPDATE sessions SET ended_at = NOW(3), ended_by = 'logout' WHERE user_id = ?`, [
    user.userId,
  ]);
  expect((await world.issue(user, plugin.pluginId)).body.code).toBe('SESSION_REVOKED');
  expect(plugin.server.received).toEqual([]);
});
