import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Fault } from '../../local/simulators/loopback-server.ts';
import { registerPlugin } from '../../shared/plugin/admin.ts';
import { endSessions } from '../../shared/session/devices.ts';
import { startPluginWorld, type TestPlugin } from '../support/plugin-world.ts';

let world: Awaited<ReturnType<typeof startPluginWorld>>;
beforeAll(async () => {
  world = await startPluginWorld();
});
afterEach(() => {
  world.stack.faults.redis = undefined;
});

const storedTokens = () => world.stack.redis.keys('mpc:*:plugin:*');

async function expectNoToken(plugin: TestPlugin) {
  const before = await storedTokens();
  const answer = await world.issue(await world.newUser(), plugin.pluginId);
  expect([answer.status, answer.body.code, answer.body.retryable]).toEqual([503, 'PLUGIN_SERVER_UNAVAILABLE', true]);
  expect(answer.headers.get('retry-after')).toBe('2');
  expect(answer.text).not.toContain('p1.');
  expect((await storedTokens()).sort()).toEqual(before.sort());
}

describe('a plugin server that does not acknowledge a push', () => {
  test.each<[string, Fault, number]>([
    ['refuses the connection', { kind: 'refuse' }, 0],
    ['fails', { kind: 'answer', status: 500, body: {} }, 0],
    ['refuses the push', { kind: 'answer', status: 401, body: {} }, 0],
    ['answers late', { kind: 'hang' }, 0],
    ['loses its answer', { kind: 'lose-ack' }, 2],
  ])('and %s: the client gets no token, and nothing is stored', async (_, fault, reached) => {
    const plugin = await world.newPlugin();
    plugin.server.misbehave(fault);
    await expectNoToken(plugin);
    expect(plugin.server.received).toHaveLength(reached);
    expect(new Set(plugin.server.received.map(({ webhookId }) => webhookId)).size).toBe(Math.min(1, reached));
    plugin.server.misbehave(null);
    const { body } = await world.issue(await world.newUser(), plugin.pluginId);
    expect(await world.isServed(plugin, body.pluginToken)).toBe(true);
  });

  test('once, gets a second push with the same event id', async () => {
    const plugin = await world.newPlugin();
    plugin.server.misbehave({ kind: 'lose-ack' });
    const issued = world.issue(await world.newUser(), plugin.pluginId);
    while (plugin.server.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    plugin.server.misbehave(null);
    const { body } = await issued;
    expect(await world.isServed(plugin, body.pluginToken)).toBe(true);
    expect(plugin.server.received).toHaveLength(2);
    expect(plugin.server.received[0]?.webhookId).toBe(plugin.server.received[1]?.webhookId);
    expect(plugin.server.received[0]?.body).toBe(plugin.server.received[1]?.body);
  });

  test('but redirects: the redirect is not followed', async () => {
    const [plugin, elsewhere] = [await world.newPlugin(), await world.newPlugin()];
    const location = elsewhere.server.pushUrl;
    for (const status of [301, 302, 307, 308]) {
      plugin.server.misbehave({ kind: 'answer', status, body: '', headers: { location } });
      await expectNoToken(plugin);
    }
    expect(elsewhere.server.received).toEqual([]);
  });
});

test.each([200, 201, 202, 204])('any 2xx answer acknowledges a push, whatever its body: %i', async (status) => {
  const plugin = await world.newPlugin();
  plugin.server.misbehave({ kind: 'answer', status, body: status === 204 ? '' : 'x'.repeat(5_000_000) });
  expect((await world.issue(await world.newUser(), plugin.pluginId)).status).toBe(201);
});

test('a token that was pushed but could not be stored is not given to the client', async () => {
  const plugin = await world.newPlugin();
  const user = await world.newUser();
  await world.issue(user, plugin.pluginId);
  let requests = 0;
  world.stack.faults.redis = () => (++requests === 1 ? undefined : { kind: 'status', status: 500, body: '' });
  const answer = await world.issue(user, plugin.pluginId);
  expect([answer.status, answer.body.code]).toEqual([503, 'UNAVAILABLE']);
  expect(plugin.server.received).toHaveLength(2);
});

test('when Redis is down, no token is issued and none is pushed', async () => {
  const plugin = await world.newPlugin();
  const user = await world.newUser();
  await world.issue(user, plugin.pluginId);
  world.stack.faults.redis = () => ({ kind: 'status', status: 500, body: '' });
  expect((await world.issue(user, plugin.pluginId)).status).toBe(503);
  expect(plugin.server.received).toHaveLength(1);
});

test('if a session ends while its token is being pushed, the token is revoked and the client gets none', async () => {
  const plugin = await world.newPlugin();
  const user = await world.newUser();
  await world.issue(user, plugin.pluginId);
  plugin.server.misbehave({ kind: 'delay', ms: 400 });
  const issued = world.issue(user, plugin.pluginId);
  await new Promise((resolve) => setTimeout(resolve, 150));
  await endSessions(world.shop.appId, user.userId, [user.sessionId], 'logout');
  const answer = await issued;
  expect([answer.status, answer.body.code]).toEqual([401, 'SESSION_REVOKED']);
  expect(world.pushes(plugin)).toEqual([
    ['issued', 200],
    ['issued', 200],
    ['revoked', 200],
  ]);
});

describe('where private addresses are not allowed', () => {
  function refusePrivateAddresses() {
    process.env.PLUGIN_PRIVATE_ADDRESSES = 'refuse';
    onTestFinished(() => {
      process.env.PLUGIN_PRIVATE_ADDRESSES = 'allow';
    });
  }

  test('a plugin server on this machine is not reached, by address or by name, over http or https', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(0, 'localhost');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const targets = [
      'http://127.0.0.1',
      'https://127.0.0.1',
      'https://localhost',
      'https://[::1]',
      'https://2130706433',
    ];
    const user = await world.newUser();
    for (const [index, target] of targets.entries()) {
      const pluginId = `inside-${index}`;
      await registerPlugin({ pluginId, serverUrl: `${target}:${port}/push` });
      refusePrivateAddresses();
      const answer = await world.issue(user, pluginId);
      process.env.PLUGIN_PRIVATE_ADDRESSES = 'allow';
      expect([target, answer.status, answer.body.code]).toEqual([target, 503, 'PLUGIN_SERVER_UNAVAILABLE']);
    }
    expect(connections).toBe(0);
  });

  test.each([
    'http://plugin.example/push',
    'https://10.0.0.7/push',
    'https://[fd00::1]/push',
    'https://169.254.169.254/latest/meta-data',
    'https://user:secret@plugin.example/push',
    'ftp://plugin.example/push',
    'not a url',
  ])('%s cannot be registered', async (serverUrl) => {
    refusePrivateAddresses();
    await expect(registerPlugin({ pluginId: 'outside', serverUrl })).rejects.toThrow('https URL of a public host');
  });
});
