import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startUpstashGateway } from '../../gateway/upstash/gateway.ts';
import { startRedis } from '../../local/engines/engines.ts';
import { freshRedis } from '../support/engines.ts';
import { type RestFixture, startRest, TOKEN } from '../support/upstash-fixture.ts';

let rest: RestFixture;
beforeAll(async () => {
  rest = await startRest();
});
afterAll(() => rest.stop());
beforeEach(() => rest.request('/', { body: ['FLUSHALL'] }));

const incr = () => rest.request('/', { body: ['INCR', 'n'] });
const count = async () => JSON.parse((await rest.request('/', { body: ['GET', 'n'] })).text).result;

describe('a fault', () => {
  test('drop-before: the connection is lost and the command was not applied', async () => {
    rest.failNext({ kind: 'drop-before' });
    await expect(incr()).rejects.toThrow();
    expect(await count()).toBe(null);
  });

  test('drop-after: the connection is lost and the command was applied', async () => {
    rest.failNext({ kind: 'drop-after' });
    await expect(incr()).rejects.toThrow();
    expect(await count()).toBe('1');
  });

  test('hang: there is no answer before the caller’s timeout', async () => {
    rest.failNext({ kind: 'hang' });
    const response = fetch(`${rest.gateway.url}/incr/n`, {
      headers: { authorization: `Bearer ${TOKEN}` },
      signal: AbortSignal.timeout(150),
    });
    await expect(response).rejects.toThrow(/timeout/);
    expect(await count()).toBe(null);
  });

  test('status: the page of a proxy arrives instead of the answer', async () => {
    rest.failNext({ kind: 'status', status: 502, body: '<html>', contentType: 'text/html' });
    const { status, text, headers } = await incr();
    expect([status, text, headers.get('content-type')]).toEqual([502, '<html>', 'text/html']);
    expect(await count()).toBe(null);
  });

  test('delay: the answer, or the next fault, comes later', async () => {
    rest.failNext({ kind: 'delay', ms: 30 });
    expect((await incr()).text).toBe('{"result":1}');
    // biome-ignore lint/suspicious/noThenProperty: what follows the delay; it is never awaited
    rest.failNext({ kind: 'delay', ms: 5, then: { kind: 'drop-after' } });
    await expect(incr()).rejects.toThrow();
    expect(await count()).toBe('2');
  });
});

describe('when Redis is down', () => {
  test('the gateway says so at its start, and answers 503 until Redis is back, without a restart', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gateway-restart-'));
    const first = await startRedis({ directory, own: true, persist: true });
    const gateway = await startUpstashGateway({ redis: first, token: TOKEN });
    const request = async (...command: unknown[]) => {
      const response = await fetch(gateway.url, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}` },
        body: JSON.stringify(command),
      });
      return [response.status, await response.text()];
    };
    const script = '#!lua flags=allow-key-locking\nreturn redis.call("GET", KEYS[1])';
    try {
      expect(await request('SET', 'k', 'kept')).toEqual([200, '{"result":"OK"}']);
      expect(await request('EVAL', script, 1, 'k')).toEqual([200, '{"result":"kept"}']);
      await first.stop();
      const down = [503, '{"error":"ERR the database is not reachable"}'];
      expect(await request('GET', 'k')).toEqual(down);
      expect(await request('GET', 'k')).toEqual(down);
      await expect(startUpstashGateway({ redis: first, token: TOKEN })).rejects.toThrow();
      const second = await startRedis({ directory, own: true, persist: true, port: first.port });
      try {
        await expect.poll(() => request('GET', 'k'), { timeout: 10_000 }).toEqual([200, '{"result":"kept"}']);
        expect(await request('EVAL', script, 1, 'k')).toEqual([200, '{"result":"kept"}']);
      } finally {
        await second.stop();
      }
    } finally {
      await gateway.stop();
      await first.stop();
      await rm(directory, { recursive: true, force: true });
    }
  });
});

test('the gateway says at its start that the password is wrong or missing', async () => {
  const guarded = await freshRedis({ extraArguments: ['--requirepass', 'right'] });
  const start = (password?: string) =>
    startUpstashGateway({
      redis: { host: guarded.host, port: guarded.port, ...(password === undefined ? {} : { password }) },
      token: TOKEN,
    });
  try {
    await expect(start('wrong')).rejects.toThrow('Redis refuses the password');
    await expect(start()).rejects.toThrow(/NOAUTH/);
    await (await start('right')).stop();
  } finally {
    await guarded.stop();
  }
});

describe('subscriptions', () => {
  test('arrive as text frames in the order of events, and end when the caller disconnects', async () => {
    const abort = new AbortController();
    const response = await fetch(`${rest.gateway.url}/subscribe/chat`, {
      method: 'POST',
      body: '[]',
      headers: { authorization: `Bearer ${TOKEN}`, accept: 'text/event-stream', 'upstash-encoding': 'base64' },
      signal: abort.signal,
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let received = '';
    const until = async (text: string) => {
      while (!received.endsWith(text)) received += Buffer.from((await reader.read()).value ?? []).toString();
    };
    await until('data: subscribe,chat,1\n\n');
    await rest.request('/', { body: ['PUBLISH', 'chat', 'hello, {"a":1}'] });
    await rest.request('/', { body: ['PUBLISH', 'elsewhere', 'no'] });
    await rest.request('/', { body: ['PUBLISH', 'chat', 'two\nlines'] });
    await until('lines\n\n');
    expect(received).toBe(
      'data: subscribe,chat,1\n\ndata: message,chat,hello, {"a":1}\n\ndata: message,chat,two\ndata: lines\n\n',
    );
    abort.abort();
    const subscribers = async () => (await rest.request('/', { body: ['PUBSUB', 'NUMSUB', 'chat'] })).text;
    await expect.poll(subscribers, { timeout: 10_000 }).toBe('{"result":["chat",0]}');
  });
});

describe('the running gateway', () => {
  test('refuses an empty token at its start', async () => {
    await expect(startUpstashGateway({ redis: rest.redis, token: '' })).rejects.toThrow(/token is empty/);
    await expect(startUpstashGateway({ redis: rest.redis, token: 'x', readOnlyToken: '' })).rejects.toThrow();
  });

  test('offers its counts as statistics, and as metrics on this machine without a token', async () => {
    rest.gateway.resetStats();
    await rest.request('/pipeline', { body: [['PING'], ['PING']] });
    await rest.request('/', { body: ['NOPE'] });
    expect(rest.gateway.stats()).toEqual({ requests: 2, commands: 3 });
    const metrics = await fetch(`${rest.gateway.url}/metrics`);
    expect(metrics.headers.get('content-type')).toContain('text/plain');
    expect(await metrics.text()).toMatch(/^gateway_upstash_requests_total \d+$/m);
    expect(rest.gateway.stats().requests).toBe(2);
  });

  test('serves many requests on one connection', async () => {
    const socket = connect(Number(new URL(rest.gateway.url).port), '127.0.0.1');
    const body = '["PING"]';
    const head = `POST / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\ncontent-length: ${body.length}\r\n\r\n`;
    let received = '';
    socket.on('data', (data) => {
      received += data.toString();
    });
    socket.write((head + body).repeat(3));
    await expect.poll(() => received.match(/PONG/g)?.length, { timeout: 10_000 }).toBe(3);
    socket.destroy();
  });

  test('finishes the request that it is serving before it stops', async () => {
    const gateway = await startUpstashGateway({
      redis: rest.redis,
      token: TOKEN,
      intercept: () => ({ kind: 'delay', ms: 100 }),
    });
    const answer = fetch(`${gateway.url}/incr/n`, { headers: { authorization: `Bearer ${TOKEN}` } });
    await expect.poll(() => gateway.stats().requests, { timeout: 10_000 }).toBe(1);
    await gateway.stop();
    expect(await (await answer).text()).toBe('{"result":1}');
    await expect(fetch(gateway.url)).rejects.toThrow();
  });
});
