import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { type PluginServerSimulator, startPluginServer } from '../../local/simulators/plugin-server.ts';
import { type RegisteredPlugin, registerPlugin } from '../../shared/plugin/admin.ts';
import { mintSession, newUserId } from '../../shared/session/token.ts';
import { startTestStack, type TestApp } from './stack.ts';

export interface TestUser {
  userId: string;
  sessionId: string;
  /** Session token. */
  session: string;
}

export interface TestPlugin extends RegisteredPlugin {
  server: PluginServerSimulator;
  app: TestApp;
}

/** The service with an app that issues plugin tokens. A test creates the plugin servers and users that it needs. */
export async function startPluginWorld(options: Parameters<typeof startTestStack>[0] = {}) {
  const stack = await startTestStack(options);
  const shop = await stack.createApp();
  let plugins = 0;

  /** A registered plugin with a running server. `fallback`: the server asks the backend about unknown tokens. */
  async function newPlugin({ fallback = false } = {}): Promise<TestPlugin> {
    const port = await freePort();
    const serverUrl = `http://127.0.0.1:${port}/push`;
    const registered = await registerPlugin({ pluginId: `plugin-${++plugins}`, serverUrl });
    const { pluginId, pushSecret, appId, privateKey } = registered;
    const backend = stack.client({ appId, privateKey });
    const server = await startPluginServer({
      pluginId,
      pushSecrets: [pushSecret],
      port,
      ...(fallback && { validate: (token: string) => backend.validatePluginToken(pluginId, token) }),
    });
    onTestFinished(() => server.stop());
    return { ...registered, server, app: { appId, privateKey } };
  }

  /** A user with a session at an app, as after a login. */
  async function newUser(app = shop, { idleSeconds = 604_800, maxSeconds = 2_592_000 } = {}): Promise<TestUser> {
    const userId = newUserId();
    await stack.mysql.execute(`INSERT INTO users (user_id, profile) VALUES (?, '{}')`, [userId]);
    return { userId, ...(await newSession(userId, app, { idleSeconds, maxSeconds })) };
  }

  async function newSession(userId: string, app = shop, { idleSeconds = 604_800, maxSeconds = 2_592_000 } = {}) {
    const { token: session, sessionId } = mintSession(app.appId, userId);
    await stack.mysql.execute(
      `INSERT INTO sessions (app_id, user_id, session_id, user_version, idle_until, ends_at)
       VALUES (?, ?, ?, 1, NOW(3) + INTERVAL ? SECOND, NOW(3) + INTERVAL ? SECOND)`,
      [app.appId, userId, sessionId, idleSeconds, maxSeconds],
    );
    return { sessionId, session };
  }

  const issue = (user: TestUser | undefined, pluginId: string, app = shop) =>
    stack.call(app, 'POST', `/plugins/${pluginId}/token`, user ? { session: user.session } : {});
  const validate = (plugin: TestPlugin, pluginToken: unknown, pluginId = plugin.pluginId) =>
    stack.call(plugin.app, 'POST', `/plugins/${pluginId}/validate`, { body: { pluginToken } });

  /** Whether the plugin's server accepts the token (row D6 (plugin server)). */
  async function isServed(plugin: TestPlugin, token: string): Promise<boolean> {
    const answer = await fetch(`${plugin.server.url}/service`, { headers: { 'plugin-token': token } });
    return answer.status === 200;
  }

  /** Pushes that reached the plugin's server: type, and the status that the server answered. */
  const pushes = (plugin: TestPlugin): Array<[type: string, status: number]> =>
    plugin.server.received.map(({ body, status }) => [JSON.parse(body).type.replace('plugin_token.', ''), status]);

  return { stack, shop, newPlugin, newUser, newSession, issue, validate, isServed, pushes };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
