import { beforeAll, describe, expect, test } from 'vitest';
import { inventedSession, openedSession, publicHeaders, type SignedSession } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

/** What calls of public apps cost: requests to the engines, counted. */
let stack: TestStack;
let world: PublicWorld;
let session: SignedSession;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  world = await publicWorld(stack);
  session = await world.logIn();
  for (const id of ['1', '99999']) {
    await world.call(session, 'GET', `/data/notice/${id}`);
    await world.call(undefined, 'GET', `/data/notice/${id}`);
  }
});

async function cost<T>(work: () => Promise<T>): Promise<{ redis: number; mysql: number; result: T }> {
  await stack.resetCounters();
  const result = await work();
  const { redisRequests: redis, mysqlRequests: mysql } = await stack.counters();
  return { redis, mysql, result };
}

describe('a read', () => {
  test.each([
    ['hit', 200, '/data/notice/1'],
    ['null', 404, '/data/notice/99999'],
  ])('with a %s costs one request, signed or named', async (cache, status, path) => {
    for (const signer of [session, undefined]) {
      const { redis, mysql, result } = await cost(() => world.call(signer, 'GET', path));
      expect([redis, mysql, result.status, result.headers.get('x-cache')]).toEqual([1, 0, status, cache]);
    }
  });

  test('of a guest leaves no replay record, so guests cannot fill Redis', async () => {
    const records = async (): Promise<number> => {
      const keys = await stack.redis.keys('mpc:*:replay:signature:*');
      const sizes = await Promise.all(keys.map((key) => stack.redis.hlen(key).catch(() => 1)));
      return sizes.reduce((sum, size) => sum + size, 0);
    };
    const before = await records();
    for (let i = 0; i < 20; i++) expect((await world.call(undefined, 'GET', '/data/notice/1')).status).toBe(200);
    expect(await records()).toBe(before);
    await world.call(session, 'GET', '/data/notice/1');
    expect(await records()).toBe(before + 1);
  });
});

describe('a session', () => {
  test('costs one request when the call is replayed, expired or revoked', async () => {
    const path = '/data/notice/1';
    const headers = publicHeaders(world.appId, session, { method: 'GET', path });
    await stack.send('GET', path, headers);
    const ended = await world.logIn();
    await world.call(ended, 'POST', '/logout', { body: {} });
    await world.call(ended, 'GET', '/me');
    const replayed = await cost(() => stack.send('GET', path, headers));
    const revoked = await cost(() => world.call(ended, 'GET', '/me'));
    for (const { redis, mysql, result } of [replayed, revoked])
      expect([redis, mysql, result.status]).toEqual([1, 0, 401]);
    expect([replayed.result.body.code, revoked.result.body.code]).toEqual(['REPLAYED', 'SESSION_REVOKED']);
  });

  test('costs two requests and one statement with its first call, and after a flush of Redis', async () => {
    const fresh = await world.logIn();
    const first = await cost(() => world.call(fresh, 'GET', '/data/notice/1'));
    expect([first.redis, first.mysql, first.result.status]).toEqual([2, 1, 200]);
    const second = await cost(() => world.call(fresh, 'GET', '/data/notice/1'));
    expect([second.redis, second.mysql]).toEqual([1, 0]);
  });

  test('that nobody opened costs a lookup once, and one request from then on', async () => {
    const unopened = inventedSession(stack.env.SIGNING_KEY ?? '', world.appId);
    const first = await cost(() => world.call(unopened, 'GET', '/me'));
    expect([first.result.body.code, first.mysql]).toEqual(['LOGIN_EXPIRED', 1]);
    const next = await cost(() => world.call(unopened, 'GET', '/me'));
    expect([next.result.body.code, next.redis, next.mysql]).toEqual(['LOGIN_EXPIRED', 1, 0]);
  });

  test('wrong signatures under its name cost it nothing and are not counted against it', async () => {
    const keys = async (): Promise<string[]> => (await stack.redis.keys('*')).sort();
    const before = await keys();
    const forger = { ...session, key: 'x'.repeat(43) };
    const { redis, mysql } = await cost(async () => {
      for (let i = 0; i < 50; i++) {
        expect((await world.call(forger, 'GET', '/me')).text).toBe('{"message":"Forbidden"}');
      }
    });
    expect([redis, mysql, await keys()]).toEqual([0, 0, before]);
    expect(await world.stateOf(session)).toBe('alive');
  });
});

describe('a login', () => {
  test('by name costs two requests to Redis and two to MySQL: WeChat and password', async () => {
    const person = world.newPerson();
    await world.logIn(person);
    const wechat = await cost(() => world.login(person));
    expect([wechat.result.status, wechat.redis, wechat.mysql]).toEqual([200, 2, 2]);
    const credentials = { account: 'counted-user', password: 'nine-owls-in-the-barn' };
    await world.call(undefined, 'POST', '/accounts', { body: credentials });
    await world.call(undefined, 'POST', '/login', { body: credentials });
    const password = await cost(() => world.call(undefined, 'POST', '/login', { body: credentials }));
    expect([password.result.status, password.redis, password.mysql]).toEqual([200, 2, 2]);
  });

  test('that a session signed costs three and two, and the former session is dead', async () => {
    const person = world.newPerson();
    const former = await world.logIn(person);
    await world.stateOf(former);
    const { redis, mysql, result } = await cost(() => world.login(person, former));
    expect([result.status, redis, mysql]).toEqual([200, 3, 2]);
    expect(await world.stateOf(former)).toBe('SESSION_REVOKED');
  });

  test('a day and device leaves at most four rows of sessions', async () => {
    const person = world.newPerson();
    let signer = await world.logIn(person);
    for (let day = 0; day < 6; day++) {
      await stack.mysql.query(
        `UPDATE sessions SET created_at = created_at - INTERVAL 1 DAY, ends_at = ends_at - INTERVAL 1 DAY,
                ended_at = ended_at - INTERVAL 1 DAY WHERE user_id = ?`,
        [signer.session.split('.')[0]],
      );
      await stack.flush();
      signer = await world.logIn(person, signer);
      await stack.api.runSchedule('cache-warm');
    }
    const [rows] = await stack.mysql.query('SELECT COUNT(*) AS kept FROM sessions WHERE user_id = ?', [
      signer.session.split('.')[0],
    ]);
    expect((rows as Array<{ kept: number }>)[0]?.kept).toBeLessThanOrEqual(4);
  });
});

test('a session at an app that was never asked for costs the record of the app, and no more', async () => {
  const other = await publicWorld(stack);
  const opened = await openedSession(stack, other.appId);
  await stack.api.reload();
  await other.call(opened, 'GET', '/data/notice/1');
  const { redis, mysql } = await cost(() => other.call(opened, 'GET', '/data/notice/1'));
  expect([redis, mysql]).toEqual([1, 0]);
});
