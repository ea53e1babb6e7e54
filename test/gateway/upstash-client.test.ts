import { randomBytes } from 'node:crypto';
import { Redis } from '@upstash/redis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RestFixture, startRest, TOKEN } from '../support/upstash-fixture.ts';

let rest: RestFixture;
let redis: Redis;
beforeAll(async () => {
  rest = await startRest();
  redis = new Redis({ url: rest.gateway.url, token: TOKEN, enableTelemetry: false });
});
afterAll(() => rest.stop());
beforeEach(async () => {
  await redis.flushall();
  rest.gateway.resetStats();
});

describe('through the official client', () => {
  test('values of every type come back as they were written', async () => {
    const value = { text: '中文 😀 "quoted"\n', list: [1, null, true], nested: { a: 1.5 } };
    expect(await redis.set('k', value, { ex: 60 })).toBe('OK');
    expect(await redis.get('k')).toEqual(value);
    expect(await redis.hset('h', { a: 1, b: 'x', c: value })).toBe(3);
    expect(await redis.hgetall('h')).toEqual({ a: 1, b: 'x', c: value });
    expect(await redis.zadd('z', { score: 1.5, member: 'm' })).toBe(1);
    expect(await redis.zrange('z', 0, -1, { withScores: true })).toEqual(['m', 1.5]);
    expect(await redis.mget('k', 'absent')).toEqual([value, null]);
    await redis.set('ok', 'OK');
    expect([await redis.get('ok'), await redis.mget('ok')]).toEqual(['OK', ['OK']]);
  });

  test('text of random bytes comes back unchanged, with and without the client’s encoding', async () => {
    const plain = new Redis({ url: rest.gateway.url, token: TOKEN, responseEncoding: false });
    for (const length of [0, 1, 1_000, 200_000]) {
      const value = `~${randomBytes(length).toString('base64url')}`;
      await redis.set('k', value);
      expect(await redis.get('k')).toBe(value);
      expect(await plain.get('k')).toBe(value);
    }
  });

  test('an integer that does not fit a double arrives as text, unchanged', async () => {
    await redis.set('n', '9007199254740993');
    expect(await redis.get('n')).toBe('9007199254740993');
  });

  test('a pipeline is one request and reports the command that failed', async () => {
    const results = await redis.pipeline().set('k', 'v').get('k').exec();
    expect(results).toEqual(['OK', 'v']);
    expect(rest.gateway.stats()).toEqual({ requests: 1, commands: 2 });
    await expect(redis.pipeline().set('k', 'v').incr('k').exec()).rejects.toThrow(/Command 2 \[ incr \] failed/);
    const kept = await redis.pipeline().incr('k').get('k').exec({ keepErrors: true });
    expect(kept[0]?.error).toContain('not an integer');
    expect(kept[1]?.result).toBe('v');
  });

  test('a transaction applies all commands, or none if one is malformed', async () => {
    expect(await redis.multi().set('a', 1).incr('a').exec()).toEqual(['OK', 2]);
    await expect(redis.multi().set('b', 1).mset({}).exec()).rejects.toThrow(/EXECABORT/);
    expect(await redis.get('b')).toBe(null);
  });

  test('calls of one tick are sent in batches, and each gets its own answer', async () => {
    const values = await Promise.all(Array.from({ length: 100 }, (_, index) => redis.set(`k${index}`, index)));
    expect(values.every((value) => value === 'OK')).toBe(true);
    expect(rest.gateway.stats()).toEqual({ requests: 1, commands: 100 });
    expect(await Promise.all([redis.get('k1'), redis.get('k99')])).toEqual([1, 99]);
  });

  test('a script is sent by its hash, and by its text when the server does not know the hash', async () => {
    const script = redis.createScript<string>(
      '#!lua flags=allow-key-locking\nredis.call("SET", KEYS[1], ARGV[1])\nreturn redis.call("GET", KEYS[1])',
    );
    expect(await script.exec(['k'], ['one'])).toBe('one');
    expect(rest.gateway.stats().requests).toBe(2);
    expect(await script.exec(['k'], ['two'])).toBe('two');
    expect(rest.gateway.stats().requests).toBe(3);
  });

  test('a published message reaches subscribers of its channel and of its pattern', async () => {
    const channel = redis.subscribe<{ n: number }>('news:1');
    const pattern = redis.psubscribe<{ n: number }>('news:*');
    await Promise.all([
      new Promise<void>((resolve) => channel.on('subscribe', () => resolve())),
      new Promise<void>((resolve) => pattern.on('psubscribe', () => resolve())),
    ]);
    const received = Promise.all([
      new Promise((resolve) => channel.on('message', resolve)),
      new Promise((resolve) => pattern.on('pmessage', resolve)),
    ]);
    expect(await redis.publish('news:1', { n: 1 })).toBe(2);
    expect(await received).toMatchObject([
      { channel: 'news:1', message: { n: 1 } },
      { channel: 'news:1', pattern: 'news:*', message: { n: 1 } },
    ]);
    await channel.unsubscribe();
    await pattern.unsubscribe();
  });

  test('a refusal contains the reason that Redis gave', async () => {
    await redis.set('k', 'text');
    await expect(redis.incr('k')).rejects.toThrow(/value is not an integer/);
    const wrong = new Redis({ url: rest.gateway.url, token: 'wrong' });
    await expect(wrong.get('k')).rejects.toThrow(/WRONGPASS invalid or missing auth token/);
  });
});
