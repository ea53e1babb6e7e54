import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { beforeAll, describe, expect, test } from 'vitest';
import { setRule } from '../../shared/lock/admin.ts';
import { policyKey } from '../../shared/lock/policy.ts';
import { type startPluginWorld as Start, startPluginWorld } from '../support/plugin-world.ts';
import type { TestAnswer } from '../support/stack.ts';

type World = Awaited<ReturnType<typeof Start>>;

const FAR = Date.now() + 3_600_000;
/** Values that this service never writes: cut off, of another codec or type, or with a valid head and invalid data. */
const TEXTS = [
  '',
  'x',
  'null',
  '{',
  'T',
  'L',
  'F',
  'N',
  'J1;',
  '1;{',
  '7;[]',
  '99;{"version":1}',
  'a;b;c',
  '\u0000\u0001',
  '-1;-1',
  `J1;${FAR};1;1;;{"userId":`,
  `J1;${FAR};1;1;;null`,
  `Z1;${FAR};1;1;;!!!`,
  `J2;${FAR};1;1;;{}`,
];
type Spoil = (redis: Redis, key: string) => Promise<unknown>;
/** Writes into a key and keeps its expiry: for a session the expiry shows how long it was idle. */
async function put(redis: Redis, key: string, write: (at: ReturnType<Redis['multi']>) => unknown): Promise<void> {
  const leftMs = await redis.pttl(key);
  const all = redis.multi().del(key);
  write(all);
  await all.pexpire(key, leftMs > 0 ? leftMs : 60_000).exec();
}
const GARBAGE: Array<[string, Spoil]> = [
  ...TEXTS.map((text): [string, Spoil] => [text, (redis, key) => put(redis, key, (at) => at.set(key, text))]),
  ['a list', (redis, key) => put(redis, key, (at) => at.rpush(key, 'x'))],
  ['a hash', (redis, key) => put(redis, key, (at) => at.hset(key, 'a', 'b'))],
];

describe('when a key of Redis holds a wrong value,', () => {
  let world: World;
  beforeAll(async () => {
    world = await startPluginWorld({ seeded: true });
  });

  const keysOf = (pattern: string): Promise<string[]> => world.stack.redis.keys(`mpc:*:${pattern}:*`);

  /** Puts each wrong value into every key of the family. The call answers as usual, at the latest the second time. */
  async function survives(pattern: string, call: () => Promise<TestAnswer>, expected: number[]): Promise<void> {
    for (const [name, spoil] of GARBAGE) {
      // A process that remembers the value for 5 s does not write the key: the call is made until the key is there.
      const keysAfterCall = async (): Promise<string[]> => {
        expect(expected).toContain((await call()).status);
        return keysOf(pattern);
      };
      await expect.poll(keysAfterCall, { timeout: 60_000, message: pattern }).not.toEqual([]);
      const keys = await keysOf(pattern);
      for (const key of keys) await spoil(world.stack.redis, key);
      const first = await call();
      expect([...expected, 503], `${pattern} held ${name}: ${first.text}`).toContain(first.status);
      const second = await call();
      expect(expected, `${pattern} held ${name}, second call: ${second.text}`).toContain(second.status);
    }
  }

  test('a session stays valid', async () => {
    const { session } = await world.newUser();
    await survives('session:session:v1', () => world.stack.call(world.shop, 'GET', '/me', { session }), [200]);
    await survives('session:user:v1', () => world.stack.call(world.shop, 'GET', '/sessions', { session }), [200]);
  });

  test('records can be read', async () => {
    const one = () => world.stack.call(world.shop, 'GET', '/data/service/1');
    const many = () => world.stack.call(world.shop, 'GET', '/data/notice', { query: 'ids=1,2,3' });
    // A valid null marker is read as "does not exist" until it expires: 404.
    await survives('cache:data:v1', one, [200, 404]);
    await survives('cache:data:v1', many, [200]);
    await survives('cache:user-fields:v1', async () => {
      const { session } = await world.newUser();
      return world.stack.call(world.shop, 'GET', '/me', { session });
    }, [200]);
  });

  test('calls that change something are accepted', async () => {
    const { session } = await world.newUser();
    const put = () => world.stack.call(world.shop, 'PUT', '/me', { session, body: { profile: { a: 1 } } });
    // A since mark that was set in the second of a call refuses the token of that call. Signed again, the call passes.
    const change = async () => {
      const answer = await put();
      return answer.body?.code === 'REPLAYED' ? put() : answer;
    };
    await survives('replay:since:v1', change, [200]);
    await survives(
      'lock:count:v1',
      () => world.stack.call(world.shop, 'POST', '/login/wechat', { body: { code: `c-${randomUUID()}` } }),
      [401],
    );
  });

  test('calls pass while the copy of the operator’s rules is damaged', async () => {
    await setRule({ target: 'GET /sessions', by: ['ip'], limit: 100_000, windowSeconds: 1, lockSeconds: null }, 'test');
    const { session } = await world.newUser();
    for (const [, spoil] of GARBAGE) {
      await spoil(world.stack.redis, policyKey('GET /sessions'));
      expect((await world.stack.call(world.shop, 'GET', '/sessions', { session })).status).toBe(200);
    }
  });

  test('validation answers that the plugin token is not active, and new tokens can be issued', async () => {
    const plugin = await world.newPlugin();
    for (const [name, spoil] of GARBAGE) {
      const { pluginToken } = (await world.issue(await world.newUser(), plugin.pluginId)).body;
      for (const key of await keysOf('plugin:token:v1')) await spoil(world.stack.redis, key);
      const answer = await world.validate(plugin, pluginToken);
      expect(answer, name).toMatchObject({ status: 200, body: { active: false } });
    }
    await survives('cache:plugins:v1', async () => world.issue(await world.newUser(), plugin.pluginId), [201, 404]);
    await survives('plugin:live:v1', async () => world.issue(await world.newUser(), plugin.pluginId), [201]);
  });

  test('no key is without an expiry, after all these calls', async () => {
    for (const key of await world.stack.redis.keys('*'))
      expect([key, await world.stack.redis.pttl(key)]).not.toEqual([key, -1]);
  });
});
