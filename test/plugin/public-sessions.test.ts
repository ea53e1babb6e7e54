import { beforeAll, expect, test } from 'vitest';
import { startPluginWorld } from '../support/plugin-world.ts';
import { inventedSession, type SignedSession, sessionToken } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';

let world: Awaited<ReturnType<typeof startPluginWorld>>;
let mini: PublicWorld;
beforeAll(async () => {
  world = await startPluginWorld();
  mini = await publicWorld(world.stack);
});

const issue = (signer: SignedSession, pluginId: string) => mini.call(signer, 'POST', `/plugins/${pluginId}/token`);

test('a plugin token of a signed session is valid until a login takes the place of that session', async () => {
  const plugin = await world.newPlugin();
  const person = mini.newPerson();
  const session = await mini.logIn(person);
  const { pluginToken } = (await issue(session, plugin.pluginId)).body;
  expect((await world.validate(plugin, pluginToken)).body).toMatchObject({ active: true });
  const next = await mini.logIn(person, session);
  expect((await world.validate(plugin, pluginToken)).body).toEqual({ active: false });
  expect(await world.isServed(plugin, pluginToken), 'the server of the plugin was told').toBe(false);
  expect(world.pushes(plugin).map(([type]) => type)).toEqual(['issued', 'revoked']);
  const again = (await issue(next, plugin.pluginId)).body;
  expect((await world.validate(plugin, again.pluginToken)).body).toMatchObject({ active: true });
});

test('the server of a plugin cannot call as a user: its token holds a hash of the session, and no key', async () => {
  const plugin = await world.newPlugin();
  const session = await mini.logIn();
  const { pluginToken } = (await issue(session, plugin.pluginId)).body;
  const [, userId = '', sessionId = ''] = pluginToken.split('.');
  const received = JSON.stringify(plugin.server.received) + pluginToken;
  expect([received.includes(session.key), received.includes(session.session.split('.')[1] ?? '')]).toEqual([
    false,
    false,
  ]);
  const signingKey = world.stack.env.SIGNING_KEY ?? '';
  const call = { method: 'GET', path: '/me' };
  for (const sid of [sessionId.slice(0, 22), Buffer.from(sessionId, 'hex').toString('base64url').slice(0, 22)]) {
    for (const key of [sessionId, pluginToken, plugin.pushSecret, inventedSession(signingKey, mini.appId).key]) {
      const token = sessionToken(mini.appId, { session: `${userId}.${sid}`, key }, call);
      const answer = await world.stack.send('GET', '/me', { 'access-token': token });
      expect(answer.text).toBe('{"message":"Forbidden"}');
    }
  }
});
