import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type GatewayOverDatabase,
  gatewayOverFreshDatabase,
  password,
  username,
} from '../support/planetscale-gateway.ts';
import { type RestFixture, startRest, TOKEN } from '../support/upstash-fixture.ts';

/** What both gateways do with a request without valid credentials. */

let rest: RestFixture;
let database: GatewayOverDatabase;
const sockets: Socket[] = [];

beforeAll(async () => {
  [rest, database] = await Promise.all([startRest(), gatewayOverFreshDatabase()]);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => Promise.all([rest.stop(), database.stop()]));

interface Target {
  url: () => string;
  path: string;
  right: string;
  body: string;
}
const gateways: [string, Target][] = [
  ['Redis', { url: () => rest.gateway.url, path: '/', right: `Bearer ${TOKEN}`, body: '["PING"]' }],
  [
    'MySQL',
    {
      url: () => database.origin,
      path: '/psdb.v1alpha1.Database/Execute',
      right: `Basic ${btoa(`${username}:${password}`)}`,
      body: '{"query":"SELECT 1"}',
    },
  ],
];

/** A connection that collects what it receives. */
function dial({ url }: Target) {
  const { hostname, port } = new URL(url());
  const socket = connect(Number(port), hostname).on('error', () => {});
  sockets.push(socket);
  const line = { received: '', closed: false, write: (data: string | Buffer) => void socket.write(data) };
  socket.on('data', (data) => {
    line.received += data.toString('latin1');
  });
  socket.on('close', () => {
    line.closed = true;
  });
  return line;
}

const head = ({ path }: Target, ...lines: string[]) =>
  `${[`POST ${path} HTTP/1.1`, 'Host: x', ...lines].join('\r\n')}\r\n\r\n`;

describe.each(gateways)('the %s gateway', (_, target) => {
  test.each([
    ['no credentials', []],
    ['wrong credentials', ['Authorization: Bearer wrong']],
    ['a malformed header', ['Authorization: x']],
  ])('answers 401 to %s before the body arrives, and then closes the connection', async (_, headers) => {
    const line = dial(target);
    line.write(head(target, 'Content-Length: 9000000', ...headers));
    await expect.poll(() => line.received, { timeout: 10_000 }).toMatch(/^HTTP\/1\.1 401 /);
    await expect.poll(() => line.closed, { timeout: 20_000 }).toBe(true);
  });

  test('does the same for a body of unknown length, and does not ask for a body that is announced', async () => {
    const chunked = dial(target);
    chunked.write(head(target, 'Transfer-Encoding: chunked'));
    const asking = dial(target);
    asking.write(head(target, 'Content-Length: 9000000', 'Expect: 100-continue'));
    await expect.poll(() => chunked.received, { timeout: 10_000 }).toMatch(/^HTTP\/1\.1 401 /);
    await expect.poll(() => asking.received, { timeout: 10_000 }).toMatch(/^HTTP\/1\.1 401 /);
  });

  test('asks a caller with credentials for its body', async () => {
    const line = dial(target);
    const length = `Content-Length: ${target.body.length}`;
    line.write(head(target, length, 'Expect: 100-continue', `Authorization: ${target.right}`));
    await expect.poll(() => line.received, { timeout: 10_000 }).toMatch(/^HTTP\/1\.1 100 /);
    line.write(target.body);
    await expect.poll(() => line.received, { timeout: 10_000 }).toMatch(/HTTP\/1\.1 200 /);
  });

  test('keeps the connection after a refused request with a small body', async () => {
    const line = dial(target);
    const length = `Content-Length: ${target.body.length}`;
    line.write(head(target, length) + target.body);
    line.write(head(target, length, `Authorization: ${target.right}`) + target.body);
    await expect.poll(() => line.received, { timeout: 10_000 }).toMatch(/HTTP\/1\.1 401 [\s\S]*HTTP\/1\.1 200 /);
  });

  test('keeps nothing of a hundred bodies of 9 MB, and their senders see the refusal', async () => {
    const body = Buffer.alloc(9_000_000, 'x');
    const before = process.memoryUsage().rss;
    const lines = Array.from({ length: 100 }, () => {
      const line = dial(target);
      line.write(head(target, `Content-Length: ${body.length}`));
      line.write(body);
      return line;
    });
    const answered = () => lines.filter(({ received }) => received.startsWith('HTTP/1.1 401 ')).length;
    await expect.poll(answered, { timeout: 30_000 }).toBe(100);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  test('answers 401 to a client that sends 9 MB with wrong credentials', async () => {
    const headers = { authorization: 'Bearer wrong' };
    const response = await fetch(target.url() + target.path, { method: 'POST', body: 'x'.repeat(9_000_000), headers });
    expect(response.status).toBe(401);
    expect(await response.text()).toMatch(/invalid/);
  });
});
