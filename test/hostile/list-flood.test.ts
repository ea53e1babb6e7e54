import { randomBytes, randomInt } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { maintainFilter } from '../../shared/data/filter-builder.ts';
import type { List } from '../../shared/data/resource.ts';
import { getResource } from '../../shared/data/resources.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** Floods of lists: what reaches MySQL, and what stays in Redis. */
const SERVICES = 1_000;
const EACH = 300;
const PARALLEL = 20;

let stack: TestStack;
let apps: TestApp[];
beforeAll(async () => {
  stack = await startTestStack();
  const rows = Array.from({ length: SERVICES }, (_, i) => [i + 1, `service ${i}`, 'd', 100 + (i % 7), 'pets']);
  await stack.mysql.query('INSERT INTO services (id, name, description, price_fen, category) VALUES ?', [rows]);
  // One for each kind of call, so that no lock ends the flood.
  apps = await Promise.all(Array.from({ length: 5 }, () => stack.createApp()));
  const service = getResource('service');
  for (const step of ['begun', 'swapped']) expect(await maintainFilter(service, Date.now() + 60_000, 0)).toBe(step);
  await Promise.all(apps.map((app) => list(app, 'service', 'list=by-category&category=home')));
});

const list = (app: TestApp, resource: string, query: string) => stack.call(app, 'GET', `/data/${resource}`, { query });

/** Sends the calls, some at once. Returns how often each status came. */
async function flood(app: TestApp, resource: string, queries: readonly string[]): Promise<Record<number, number>> {
  const left = [...queries];
  const statuses: Record<number, number> = {};
  const caller = async (): Promise<void> => {
    for (let query = left.pop(); query !== undefined; query = left.pop()) {
      const { status } = await list(app, resource, query);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, caller));
  return statuses;
}
const times = (queryOf: (i: number) => string): string[] => Array.from({ length: EACH }, (_, i) => queryOf(i));
const keysOf = (name: 'page' | 'generation') => stack.redis.keys(`*:${name}:*`);
const text = (bytes: number): string => randomBytes(bytes).toString('base64url');

/** Cursors of the pages of a list, in their order, in pages of 50. */
async function walk(app: TestApp): Promise<string[]> {
  const cursors: string[] = [];
  for (let after = ''; ; ) {
    const { body } = await list(app, 'service', `list=cheapest&limit=50${after && `&after=${after}`}`);
    if (!body.next) return cursors;
    cursors.push(body.next);
    after = body.next;
  }
}

/**
 * How many pages before the tenth a list can have in the cache. A page of depth d follows d pages, whose sizes decide
 * its place: with two sizes there are d + 1 places.
 */
function mostPages({ filters = [], sizes }: List): number {
  const values = filters.reduce((product, filter) => product * ('values' in filter ? filter.values.length : 1), 1);
  const placesAt = (depth: number): number => (sizes.length === 1 ? 1 : depth + 1);
  return values * sizes.length * Array.from({ length: 10 }, (_, depth) => placesAt(depth)).reduce((a, b) => a + b);
}

describe('of a flood of list calls', () => {
  test('invented values, sizes and cursors reach no engine, and MySQL sees at most 1.5 % of all', async () => {
    const [first, second, third, fourth, fifth] = apps as [TestApp, TestApp, TestApp, TestApp, TestApp];
    await stack.resetCounters();
    const cursors = await walk(fifth);
    const deep = cursors.slice(9, 12);
    const walked = await stack.counters();
    const pages = (await keysOf('page')).length;
    const memory = await bytesOfPages();

    const refused = [
      await flood(
        first,
        'service',
        times(() => `list=by-category&category=${text(6)}`),
      ),
      await flood(
        second,
        'service',
        times(() => `list=cheapest&limit=${randomInt(1, 1e6) * 100 + 1}`),
      ),
      await flood(
        third,
        'service',
        times(() => `list=cheapest&after=${text(9)}.${text(12)}`),
      ),
    ];
    expect(refused).toEqual([{ 400: EACH }, { 400: EACH }, { 400: EACH }]);
    expect(await stack.counters()).toMatchObject({
      mysqlRequests: walked.mysqlRequests,
      redisRequests: expect.toSatisfy((count: number) => count - walked.redisRequests <= apps.length * 3),
    });
    // Deep pages may have ended meanwhile.
    expect((await keysOf('page')).length).toBeLessThanOrEqual(pages);
    expect(await bytesOfPages()).toBeLessThanOrEqual(memory);

    const invented = () => `list=of-service&serviceId=${1e9 + randomInt(1e14)}`;
    expect(await flood(fourth, 'review', times(invented))).toEqual({ 200: EACH });
    const repeated = times((i) => `list=cheapest&limit=50&after=${deep[i % deep.length]}`);
    expect(await flood(fifth, 'service', repeated)).toEqual({ 200: EACH });
    const { mysqlRequests } = await stack.counters();
    expect((mysqlRequests - walked.mysqlRequests) / (5 * EACH)).toBeLessThan(0.015);
  });

  test('a deep page is in the cache for at most 17 s', async () => {
    const lives = await Promise.all((await keysOf('page')).map((key) => stack.redis.pttl(key)));
    expect(lives.filter((ms) => ms > 17_000).length).toBeLessThanOrEqual(10 + apps.length);
    expect(lives.some((ms) => ms > 17_000)).toBe(true);
  });

  test('nothing leaves more than 110 pages of a list with two sizes for each of its values', async () => {
    await stack.flush();
    const cheapest = getResource('service').lists?.find(({ name }) => name === 'cheapest') as List;
    expect(mostPages(cheapest)).toBe(110);
    const app = await stack.createApp();
    let cursors = new Set(['']);
    for (let depth = 0; depth < 10; depth++) {
      const next = new Set<string>();
      for (const after of cursors) {
        for (const size of cheapest.sizes) {
          const { body } = await list(app, 'service', `list=cheapest&limit=${size}${after && `&after=${after}`}`);
          next.add(body.next);
        }
      }
      cursors = next;
    }
    expect((await keysOf('page')).length).toBe(mostPages(cheapest));
    expect((await keysOf('generation')).length).toBe(1);
  });
});

async function bytesOfPages(): Promise<number> {
  const sizes = await Promise.all((await keysOf('page')).map((key) => stack.redis.memory('USAGE', key)));
  return sizes.reduce<number>((sum, bytes) => sum + Number(bytes), 0);
}
