import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { announceIds } from '../../shared/cache/existence-filter.ts';
import { warmCache } from '../../shared/upkeep/every-minute.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
  // After this call the authorizer has the app record in memory.
  await stack.call(app, 'GET', '/data/service/1');
});

const read = (id: number) => stack.call(app, 'GET', `/data/service/${id}`);
const insert = (id: number) =>
  stack.mysql.execute(`INSERT INTO services (id, name, description, price_fen) VALUES (?, 'n', 'd', 1)`, [id]);
const run = () => warmCache({ stopAt: Date.now() + 60_000, settleMs: 0 });
/** How many requests to MySQL reads of absent ids make. */
async function loadsOf(ids: number[]): Promise<number> {
  await stack.resetCounters();
  for (const id of ids) expect((await read(id)).status).toBe(404);
  return (await stack.counters()).mysqlRequests;
}

describe('the existence filter', () => {
  beforeEach(async () => {
    await stack.mysql.query('DELETE FROM services');
    await stack.redis.flushall();
  });

  test('is complete after two runs of cache-warm, and then invented ids do not reach MySQL', async () => {
    for (const id of [1, 2, 3]) await insert(id);
    expect((await run()).filters.service).toBe('begun');
    expect(await loadsOf([10_001, 10_002, 10_003])).toBe(3);
    expect((await run()).filters.service).toBe('swapped');
    expect((await run()).filters.service).toBe('live');
    expect(await loadsOf(Array.from({ length: 50 }, (_, i) => 20_000 + i))).toBeLessThanOrEqual(1);
    for (const id of [1, 2, 3]) expect((await read(id)).status).toBe(200);
  });

  test('gives no answer while it does not exist', async () => {
    expect(await loadsOf([5])).toBe(1);
  });

  test('knows an id that was announced before its commit', async () => {
    await run();
    await announceIds('service', ['77']);
    await run();
    await announceIds('service', ['78']);
    for (const id of [77, 78]) {
      await insert(id);
      expect((await read(id)).status).toBe(200);
    }
  });

  test('gets rows that other tools wrote with the next run of cache-warm', async () => {
    await run();
    await run();
    await insert(99);
    expect((await read(99)).status).toBe(404);
    await run();
    expect((await read(99)).status).toBe(200);
  });
});
