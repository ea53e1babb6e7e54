import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { beforeAll, expect, test, vi } from 'vitest';
import { startUpstashGateway } from '../../gateway/upstash/gateway.ts';
import type { RedisMember } from '../../local/engines/high-availability.ts';
import { openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

/** Usual: writable again after 3 s. */
const FAILOVER = { timeout: 30_000, interval: 50 };

let shop: Shop;
let shopper: Shopper;
beforeAll(async () => {
  // The timeout of a deployment, so that a failover meets the same timeouts as there.
  shop = await openShop({ ha: {}, env: { REDIS_TIMEOUT_MS: '1000' } });
  shopper = await shop.shopper();
  await shop.stack.mysql.query(
    "INSERT INTO notices (id, title, body, published_at) VALUES (1, 'a', 'b', NOW()), (2, 'a', 'b', NOW())",
  );
}, 120_000);

async function master(): Promise<RedisMember> {
  const member = await shop.stack.highAvailability?.master();
  if (!member) throw new Error('no master');
  return member;
}

async function credit(): Promise<string> {
  const { orderNo, payment } = (await shopper.create()).body;
  expect(payment).toBeDefined();
  const notice = { orderNo, amountFen: 600, currency: 'CNY', transactionId: `t-${orderNo}`, status: 'SUCCESS' };
  expect((await shop.notify(notice)).status).toBe(204);
  return orderNo;
}

test('the Redis master is killed: reads continue, writes work again within seconds, nothing is lost', async () => {
  const { stack, app } = shop;
  await credit();
  expect(await shopper.balance()).toBe(60);
  const replayed = stack.sign(app, 'POST', '/balance/spend', { body: { amount: 1 }, session: shopper.session });
  const spend = () =>
    stack.send('POST', '/balance/spend', { ...replayed, 'idempotency-key': 'k'.repeat(20) }, '{"amount":1}');
  expect((await spend()).status).toBe(201);

  let reading = true;
  const statuses: number[] = [];
  const readers = Array.from({ length: 4 }, async () => {
    while (reading) {
      statuses.push((await stack.call(app, 'GET', '/data/notice/1')).status);
      await sleep(20);
    }
  });
  const former = await master();
  const killedAt = performance.now();
  await former.kill();
  const order = await vi.waitFor(async () => {
    const answer = await shopper.create();
    expect([201, 503]).toContain(answer.status);
    expect(answer.status).toBe(201);
    return answer.body.orderNo as string;
  }, FAILOVER);
  const writableAfterMs = performance.now() - killedAt;
  await sleep(500);
  reading = false;
  await Promise.all(readers);
  expect(writableAfterMs).toBeLessThan(30_000);
  const good = statuses.filter((status) => status === 200).length;
  expect(good / statuses.length, `${good} of ${statuses.length} reads`).toBeGreaterThan(0.95);

  // An old call is refused, with or without its replay record on the new master.
  expect((await spend()).body.code).toBe('REPLAYED');
  expect((await stack.call(app, 'GET', '/me', { session: shopper.session })).status).toBe(200);
  expect(await shopper.balance()).toBe(59);
  expect(order).toMatch(/\w/);

  await former.start();
  const returned = new Redis({ host: '127.0.0.1', port: former.port });
  await vi.waitFor(async () => expect((await returned.role())[0]).toBe('slave'), FAILOVER);
  returned.disconnect();
  expect((await master()).name).not.toBe(former.name);
}, 120_000);

test('replay records lost with a master allow no replay: calls signed before are refused, new ones pass', async () => {
  const { stack, app } = shop;
  // The replicas never receive the record of this call, as if the master had failed before it was sent.
  const headers = { ...stack.sign(app, 'POST', '/logout', { session: (await shop.shopper()).session }) };
  await vi.waitFor(async () => expect((await shopper.create()).status).toBe(201), FAILOVER);
  await sleep(1_100);
  const former = await master();
  await former.kill();
  await vi.waitFor(async () => expect((await shopper.create()).status).toBe(201), FAILOVER);
  const answer = await stack.send('POST', '/logout', headers);
  expect([answer.status, answer.body.code]).toEqual([401, 'REPLAYED']);
  await former.start();
}, 120_000);

test('a demoted master answers like one that is down, and nothing is written to it', async () => {
  const members = shop.stack.highAvailability?.servers ?? [];
  const named = await master();
  const replica = members.find((member) => member !== named && member.server);
  const gateway = await startUpstashGateway({
    redis: { host: '127.0.0.1', port: replica?.port ?? 0 },
    token: 'token',
  });
  const post = (path: string, body: unknown) =>
    fetch(gateway.url + path, {
      method: 'POST',
      headers: { authorization: 'Bearer token' },
      body: JSON.stringify(body),
    });
  expect((await post('/', ['SET', 'k', 'v'])).status).toBe(503);
  await vi.waitFor(async () => expect((await post('/pipeline', [['SET', 'k', 'v']])).status).toBe(503), FAILOVER);
  await vi.waitFor(async () => expect((await post('/multi-exec', [['SET', 'k', 'v']])).status).toBe(503), FAILOVER);
  await gateway.stop();
});

test('a sentinel that hangs is skipped', async () => {
  const deaf = createServer(() => {});
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  const { port } = deaf.address() as { port: number };
  const { sentinels, name } = shop.stack.highAvailability?.redis ?? { sentinels: [], name: '' };
  const gateway = await startUpstashGateway({
    redis: { sentinels: [{ host: '127.0.0.1', port }, ...sentinels], name },
    token: 'token',
  });
  expect((await fetch(`${gateway.url}/ready`)).status).toBe(200);
  await gateway.stop();
  deaf.close();
});

test('the MySQL primary is killed and restarted: cached reads are served, writes answer 503 and recover', async () => {
  const { stack } = shop;
  // A new app: the functions keep its record for one minute from now on. If the record expired while MySQL is down, and
  // Redis had lost it too, the answer would be 503.
  const reader = await stack.createApp();
  const read = () => stack.call(reader, 'GET', '/data/notice/2');
  const warm = async () => (await read()).status;
  await vi.waitFor(async () => {
    expect((await read()).headers.get('x-cache')).toBe('hit');
  }, FAILOVER);
  const before = await shopper.balance();
  process.kill(stack.highAvailability?.mysqlPid() ?? 0, 'SIGKILL');
  for (let reads = 0; reads < 20; reads += 1) expect(await warm()).toBe(200);
  const refused = await shopper.create();
  expect([refused.status, refused.body.code]).toEqual([503, 'UNAVAILABLE']);
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  await stack.highAvailability?.restartMysql();
  await vi.waitFor(async () => expect((await shopper.create()).status).toBe(201), FAILOVER);
  expect(await shopper.balance()).toBe(before);
}, 120_000);
