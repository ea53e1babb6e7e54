import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestStack, type TestApp, type TestStack } from './stack.ts';

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

describe('cache-warm', () => {
  beforeEach(async () => {
    await stack.mysql.query('DELETE FROM services');
    await stack.redis.flushall();
  });

  test('a row written by another tool is seen after the next run', async () => {
    await putDirectly(7, 'first');
    expect((await read(7)).body.name).toBe('first');
    await putDirectly(7, 'second');
    expect((await read(7)).body.name).toBe('first');
    expect(await warm()).toMatchObject({ swept: 2 });
    expect((await read(7)).body.name).toBe('second');
  });

  test('the newest records are warm before anybody asks for them', async () => {
    await putDirectly(8, 'fresh');
    expect(await warm()).toMatchObject({ warmed: 1, candidates: 1 });
    await stack.resetCounters();
    const answer = await read(8);
    expect(answer.headers.get('x-cache')).toBe('hit');
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });
});
