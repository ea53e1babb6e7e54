import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { admit } from '../../shared/admission/admission.ts';
import { decayHotKeys, readHotKeys } from '../../shared/cache/hot-keys.ts';
import { readOf, resourceKey } from '../../shared/data/records.ts';
import { getResource } from '../../shared/data/resources.ts';
import { policyKey } from '../../shared/lock/policy.ts';
import { appKey, channelKey, merchantsKey, productsKey, userFieldsKey } from '../../shared/swept-keys.ts';
import { sweepChangedRows, sweptTables } from '../../shared/upkeep/changed-rows.ts';
import { requestOf } from '../support/admission-call.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
});

const warm = () => stack.api.runSchedule('cache-warm') as Promise<Record<string, unknown>>;
const read = (id: number) => stack.call(app, 'GET', `/data/service/${id}`);
const putDirectly = (id: number, name: string) =>
  stack.mysql.execute(
    `INSERT INTO services (id, name, description, price_fen) VALUES (?, ?, 'd', 100)
     ON DUPLICATE KEY UPDATE name = VALUES(name), deleted_at = NULL`,
    [id, name],
  );

/** Reads by admission, without HTTP. One of 64 reads is counted for hot keys. */
async function readOften(times: number, idOf: (i: number) => string): Promise<void> {
  const reads = Array.from({ length: times }, (_, i) => [readOf(getResource('service'), idOf(i))]);
  for (let at = 0; at < times; at += 30) {
    await Promise.all(reads.slice(at, at + 30).map((each) => admit(requestOf([], { reads: each }))));
  }
}

describe('cache-warm', () => {
  beforeEach(async () => {
    await stack.mysql.query('DELETE FROM services');
    await stack.redis.flushall();
  });

  test('a row that another tool wrote is seen after the next run', async () => {
    await putDirectly(7, 'first');
    expect((await read(7)).body.name).toBe('first');
    await putDirectly(7, 'second');
    expect((await read(7)).body.name).toBe('first');
    expect(await warm()).toMatchObject({ swept: 2 });
    expect((await read(7)).body.name).toBe('second');
  });

  test('cached channels, products, merchants, apps and user fields are deleted after another tool changed them', async () => {
    await stack.mysql.execute(
      `INSERT INTO channels (channel, verify_url, login_host, login_port) VALUES ('swept', 'https://a.example', 'a', 1)`,
    );
    await stack.mysql.execute(
      `INSERT INTO products (product_id, title, amount_fen, units) VALUES ('swept', 't', 1, 1)`,
    );
    await stack.mysql.execute(
      `INSERT INTO merchants (provider, provider_app_id, merchant_id, sealed_config) VALUES ('swept', 'a', 'm', 'x')`,
    );
    const keys = [channelKey('swept'), productsKey(), merchantsKey(), userFieldsKey(app.appId), appKey(app.appId)];
    for (const key of keys) await stack.redis.set(key, 'older', 'EX', 600);
    await warm();
    expect(await stack.redis.exists(...keys)).toBe(0);
  });

  test('the newest records are cached before the first read', async () => {
    await putDirectly(8, 'fresh');
    expect(await warm()).toMatchObject({ warmed: 1, candidates: 1 });
    await stack.resetCounters();
    const answer = await read(8);
    expect(answer.headers.get('x-cache')).toBe('hit');
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });

  test('a hot key is found, kept in the cache, and forgotten when nobody reads it any more', async () => {
    await putDirectly(1, 'read by all');
    await read(1);
    for (let id = 100; id < 160; id++) await putDirectly(id, 'newer');
    await readOften(600, () => '1');
    const hot = await readHotKeys(10);
    expect(hot[0]?.name).toBe('service:1');
    await stack.redis.del(resourceKey(getResource('service'), '1'));
    await warm();
    await stack.resetCounters();
    expect((await read(1)).headers.get('x-cache')).toBe('hit');
    expect((await stack.counters()).mysqlRequests).toBe(0);
    for (let minute = 0; minute < 40; minute++) await decayHotKeys(10);
    expect(await readHotKeys(10)).toEqual([]);
  });

  test('ids that do not exist are never hot keys', async () => {
    await readOften(600, (i) => String(7_000_000 + (i % 3)));
    expect(await readHotKeys(10)).toEqual([]);
  });

  test('values near their end are loaded again, fresh ones are not, and lifetimes have a random part', async () => {
    for (let id = 1; id <= 30; id++) await putDirectly(id, 'n');
    expect(await warm()).toMatchObject({ warmed: 30 });
    // The sweep covers the last 60 s, so younger rows would be loaded again.
    await stack.mysql.query('UPDATE services SET updated_at = NOW(3) - INTERVAL 1 HOUR');
    expect(await warm()).toMatchObject({ warmed: 0, candidates: 30 });
    const keys = Array.from({ length: 30 }, (_, i) => resourceKey(getResource('service'), String(i + 1)));
    const ends = await Promise.all(keys.map((key) => stack.redis.pttl(key)));
    expect(Math.max(...ends) - Math.min(...ends)).toBeGreaterThan(20_000);
    const stored = (await stack.redis.get(keys[0] as string)) as string;
    const soon = stored.replace(/^(.1;)\d+/, `$1${Date.now() + 60_000}`);
    await stack.redis.set(keys[0] as string, soon, 'KEEPTTL');
    expect(await warm()).toMatchObject({ warmed: 1 });
  });

  test('a deleted record gets no null marker from cache-warm', async () => {
    await putDirectly(1, 'n');
    await read(1);
    await readOften(600, () => '1');
    await stack.mysql.query('DELETE FROM services');
    await stack.redis.del(resourceKey(getResource('service'), '1'));
    expect(await warm()).toMatchObject({ warmed: 0, candidates: 1 });
    expect(await stack.redis.exists(resourceKey(getResource('service'), '1'))).toBe(0);
  });

  test('after a flush of Redis the policies of operators come back, and replay records begin', async () => {
    await stack.mysql.query("INSERT INTO lock_policies (target, version) VALUES ('data:service', 5)");
    await stack.mysql.query("INSERT INTO lock_rules VALUES ('data:service', 'app', 1000, 60, NULL)");
    expect(await warm()).toMatchObject({ policies: 1, replayRecordsBegun: 16 });
    expect(await stack.redis.get(policyKey('data:service'))).toContain('"limit":1000');
    expect(await warm()).toMatchObject({ policies: 1, replayRecordsBegun: 0 });
  });

  test('when MySQL is down, the steps that need only Redis still run', async () => {
    stack.faults.mysql = () => ({ kind: 'status', status: 502, body: '' });
    expect(await warm()).toMatchObject({ swept: 'failed', policies: 'failed', replayRecordsBegun: 16 });
    stack.faults.mysql = undefined;
    await expect.poll(warm, { timeout: 20_000, interval: 500 }).toMatchObject({ policies: expect.any(Number) });
  });

  test('changed rows that one run has no time for are swept by the next run', async () => {
    const rows = Array.from({ length: 1_200 }, (_, i) => [i + 1, 'n', 'd', 1]);
    await stack.mysql.query('INSERT INTO services (id, name, description, price_fen) VALUES ?', [rows]);
    const table = sweptTables().filter(({ table }) => table === 'services');
    let slices = 0;
    const slow = (ms: number) =>
      table.map((each) => ({
        ...each,
        exists: async () => {
          slices++;
          await new Promise((resolve) => setTimeout(resolve, ms));
        },
      }));
    expect(await sweepChangedRows(slow(600), Date.now() + 500)).toEqual({ rows: 500, whole: false });
    expect(await sweepChangedRows(slow(0), Date.now() + 10_000)).toEqual({ rows: 700, whole: true });
    expect(slices).toBe(3);
  });
});
