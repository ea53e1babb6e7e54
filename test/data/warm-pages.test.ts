import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { admit } from '../../shared/admission/admission.ts';
import { readHotKeys } from '../../shared/cache/hot-keys.ts';
import { checkLists } from '../../shared/data/list.ts';
import { pageReadOf, parseListQuery } from '../../shared/data/list-page.ts';
import { allResources, getResource } from '../../shared/data/resources.ts';
import { putResource } from '../../shared/data/write.ts';
import { warmFirstPages } from '../../shared/upkeep/warm-pages.ts';
import { requestOf } from '../support/admission-call.ts';
import { portalJson } from '../support/portal-command.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
});
beforeEach(async () => {
  stack.faults.mysql = undefined;
  stack.faults.redis = undefined;
  // The sweep covers the last minute. A row that changed in it would end the pages of the run before.
  for (const table of ['services', 'notices']) {
    await stack.mysql.query(`UPDATE ${table} SET updated_at = NOW(3) - INTERVAL 1 HOUR`);
  }
  await stack.flush();
});

const run = () => stack.api.runSchedule('cache-warm') as Promise<{ pages: unknown }>;
const warm = () => warmFirstPages(allResources(), Date.now() + 60_000);
/** The newest notices, the cheapest services, and those of each of seven categories. */
const ALL = 9;

/** An engine that has failed is asked again by few at first. */
async function loadsInTheEnd(count: number): Promise<void> {
  let loaded = 0;
  await expect.poll(async () => (loaded += (await warm()).loaded), { timeout: 20_000, interval: 500 }).toBe(count);
}

async function read(resource: string, query: string) {
  await stack.resetCounters();
  const answer = await stack.call(app, 'GET', `/data/${resource}`, { query });
  const { redisRequests, mysqlRequests } = await stack.counters();
  return { cache: answer.headers.get('x-cache'), redisRequests, mysqlRequests, body: answer.body };
}
const HIT = { cache: 'hit', redisRequests: 1, mysqlRequests: 0 };
const cheapest = () => read('service', 'list=cheapest');

describe('cache-warm keeps the first pages of lists, so that', () => {
  test('the first reader of a list after a run finds its page in the cache', async () => {
    await stack.call(app, 'GET', '/data/notice/1');
    expect((await run()).pages).toEqual({ loaded: ALL, failed: 0 });
    expect(await read('notice', 'list=newest')).toMatchObject(HIT);
    expect(await cheapest()).toMatchObject(HIT);
    expect(await read('service', 'list=by-category&category=pets')).toMatchObject(HIT);
    expect(await read('service', 'list=cheapest&limit=50')).toMatchObject({ cache: 'miss', mysqlRequests: 1 });
  });

  test('a write ends the page, and the next run loads it again', async () => {
    await warm();
    const members = { name: 'new', description: 'd', priceFen: 1, category: 'pets' };
    await putResource(getResource('service'), '6000', members);
    expect((await run()).pages).toEqual({ loaded: ALL - 1, failed: 0 });
    const { body, ...costs } = await cheapest();
    expect(costs).toEqual(HIT);
    expect(body.items[0].id).toBe('6000');
  });

  test('a page is loaded again before it ends, and not while it outlives the next run', async () => {
    expect(await warm()).toEqual({ loaded: ALL, failed: 0 });
    expect(await warm()).toEqual({ loaded: 0, failed: 0 });
    const [key = ''] = await stack.redis.keys('*page*notice*');
    const stored = (await stack.redis.get(key)) ?? '';
    await stack.redis.set(key, stored.replace(/^(.1;)\d+/, `$1${Date.now() + 60_000}`), 'KEEPTTL');
    expect(await warm()).toEqual({ loaded: 1, failed: 0 });
  });

  test('a page is not in the cache longer than other first pages: 295 s', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.999_999);
    onTestFinished(() => random.mockRestore());
    await warm();
    const keys = await stack.redis.keys('*page*');
    expect(keys).toHaveLength(ALL);
    for (const key of keys) expect(await stack.redis.pttl(key)).toBeLessThanOrEqual(295_000);
  });

  test('a page never ends with its generation before the next run', async () => {
    await warm();
    const [generation = ''] = await stack.redis.keys('*generation*notice*');
    const former = await stack.redis.get(generation);
    await stack.redis.pexpire(generation, 60_000);
    expect(await warm()).toEqual({ loaded: 1, failed: 0 });
    expect(await stack.redis.get(generation)).not.toBe(former);
    await stack.call(app, 'GET', '/data/notice/1');
    expect(await read('notice', 'list=newest')).toMatchObject(HIT);
  });

  test('several runs at once load each page once', async () => {
    await stack.resetCounters();
    const runs = await Promise.all([warm(), warm(), warm(), warm()]);
    expect(runs.reduce((sum, { loaded }) => sum + loaded, 0)).toBe(ALL);
    expect((await stack.counters()).mysqlRequests).toBe(ALL);
  });

  test('a list that cannot be loaded does not stop the others, and leaves no lease', async () => {
    stack.faults.mysql = ({ sql = '' }) =>
      /FROM notices/.test(sql) ? { kind: 'status', status: 502, body: '' } : undefined;
    expect(await warm()).toEqual({ loaded: ALL - 1, failed: 1 });
    expect(await stack.redis.keys('*page*notice*')).toEqual([]);
    stack.faults.mysql = undefined;
    await loadsInTheEnd(1);
  });

  test('a run ends at its deadline, and another one begins with the pages that are left', async () => {
    expect(await warmFirstPages(allResources(), Date.now())).toEqual({ loaded: 0, failed: 0 });
    expect(await warm()).toEqual({ loaded: ALL, failed: 0 });
  });

  test.each(['mysql', 'redis'] as const)(
    'a run without %s fails cleanly, and a later one loads all',
    async (engine) => {
      stack.faults[engine] = () => ({ kind: 'status', status: 502, body: '' });
      expect(await warm()).toEqual({ loaded: 0, failed: ALL });
      stack.faults[engine] = undefined;
      await loadsInTheEnd(ALL);
    },
  );

  test('a list of more than 100 known values cannot be warm', () => {
    const service = getResource('service');
    const [list] = service.lists ?? [];
    const check = (change: object) => () =>
      checkLists({ ...service, lists: [{ ...(list as NonNullable<typeof list>), ...change }] }, new Map());
    const values = Array.from({ length: 101 }, (_, i) => `c${i}`);
    expect(check({ filters: [{ member: 'category', values }] })).toThrow('more than 100 pages');
    expect(check({ filters: [{ member: 'category', values: values.slice(1) }] })).not.toThrow();
  });
});

describe('hot lists', () => {
  /** Reads by admission, without HTTP. One of 64 reads is counted. */
  async function readOften(resource: string, query: Record<string, string>, owner = ''): Promise<void> {
    const declared = getResource(resource);
    const parsed = parseListQuery(declared, query);
    for (let at = 0; at < 600; at += 30) {
      const reads = Array.from({ length: 30 }, () => [pageReadOf(declared, parsed, { appId: 'app', owner })]);
      await Promise.all(reads.map((each) => admit(requestOf([], { reads: each }))));
    }
  }
  const names = async () => (await readHotKeys(10)).map(({ name }) => name);

  test('are found under a name with the values of their conditions', async () => {
    await warm();
    await readOften('service', { list: 'by-category', category: 'pets' });
    expect(await names()).toEqual(['service?list=by-category&category=pets']);
    const { keys } = await portalJson(['hot']);
    expect(keys).toEqual([{ name: 'service?list=by-category&category=pets', readsPerMinute: expect.any(Number) }]);
    expect((await run()).pages).toMatchObject({ failed: 0 });
  });

  test('of owners have one name for all users', async () => {
    const sessions = sessionsOf(stack, app);
    const [userId = ''] = await sessions.newUsers(1);
    const { token } = await sessions.openAt(userId);
    await stack.call(app, 'GET', '/data/voucher', { query: 'list=mine', session: token });
    await readOften('voucher', { list: 'mine' }, userId);
    expect(await names()).toEqual(['voucher?list=mine']);
  });
});
