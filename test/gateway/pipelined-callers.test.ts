import { connect } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type GatewayOverDatabase,
  gatewayOverFreshDatabase,
  password,
  username,
} from '../support/planetscale-gateway.ts';
import { type RestFixture, startRest, TOKEN } from '../support/upstash-fixture.ts';

/** Callers that send several requests over one connection without waiting for the answers, and disconnect. */

let rest: RestFixture;
let mysql: GatewayOverDatabase;
let redis: Redis;
beforeAll(async () => {
  rest = await startRest();
  mysql = await gatewayOverFreshDatabase();
  redis = new Redis({ host: rest.redis.host, port: rest.redis.port });
});
afterAll(async () => {
  redis?.disconnect();
  await mysql?.stop();
  await rest?.stop();
});

function post(path: string, authorization: string, body: string): string {
  const head = [`POST ${path} HTTP/1.1`, 'host: gateway', `authorization: ${authorization}`];
  return `${head.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Sends everything at once; returns the function that disconnects. */
function sendAtOnce(url: string, requests: string[]): () => void {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(requests.join(''));
  return () => socket.destroy();
}

const bearer = `Bearer ${TOKEN}`;
const subscribed = async () => ((await redis.client('LIST')) as string).match(/cmd=subscribe/g)?.length ?? 0;
const asleep = async () => {
  const count = "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = ? AND info LIKE 'SELECT SLEEP(%'";
  return Number(((await mysql.client.execute(count, [mysql.database])).rows[0] as { n: string }).n);
};
const soon = { timeout: 10_000, interval: 50 };

test('all statements of a connection end with it, not only the first', async () => {
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const statements = Array.from({ length: 12 }, (_, place) => {
    const body = JSON.stringify({ query: `SELECT SLEEP(${100 + place})`, session: null });
    return post('/psdb.v1alpha1.Database/Execute', basic, body);
  });
  const leave = sendAtOnce(mysql.origin, statements);
  await expect.poll(asleep, soon).toBe(12);
  leave();
  await expect.poll(asleep, soon).toBe(0);
});

test('all subscriptions of a connection end with it, and leave no connection to Redis', async () => {
  const leave = sendAtOnce(
    rest.gateway.url,
    Array.from({ length: 12 }, (_, place) => post(`/subscribe/channel-${place}`, bearer, '')),
  );
  await expect.poll(subscribed, soon).toBe(12);
  leave();
  await expect.poll(subscribed, soon).toBe(0);
});

test('an endless script behind a subscription ends when the connection does', async () => {
  await redis.config('SET', 'busy-reply-threshold', '100');
  const leave = sendAtOnce(rest.gateway.url, [
    post('/subscribe/channel', bearer, ''),
    post('/', bearer, JSON.stringify(['EVAL', 'while true do end', 0])),
  ]);
  await expect.poll(() => redis.get('k').catch((error: Error) => error.message), soon).toMatch(/^BUSY/);
  leave();
  await expect.poll(() => redis.get('k').catch((error: Error) => error.message), soon).toBeNull();
  expect(await rest.request('/', { body: ['PING'] })).toMatchObject({ status: 200 });
});

test('a text of megabytes is stored as it is beside a number of 19 digits', async () => {
  const text = `${'x'.repeat(4_000_000)}${'\\"'.repeat(1_000_000)}, 1234567890123456 `;
  const body = `["MSET","text",${JSON.stringify(text)},"number",1234567890123456789]`;
  expect((await rest.request('/', { body })).text).toBe('{"result":"OK"}');
  expect([await redis.get('number'), (await redis.get('text')) === text]).toEqual(['1234567890123456789', true]);
});

test('a quoted name of megabytes is an error of the statement, not of the gateway', async () => {
  for (const name of ['x'.repeat(8_000_000), '``'.repeat(4_000_000)]) {
    await expect(mysql.client.execute(`SELECT \`${name}\``)).rejects.toThrow(/errno \d+/);
  }
});
