import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RestFixture, startRest, TOKEN } from '../support/upstash-fixture.ts';

let rest: RestFixture;
beforeAll(async () => {
  rest = await startRest();
  // Redis accepts the kill of a script after this time, by default after 5 s.
  const redis = new Redis(rest.redis);
  await redis.config('SET', 'busy-reply-threshold', '500');
  redis.disconnect();
});
afterAll(() => rest.stop());
beforeEach(() => rest.request('/', { body: ['FLUSHALL'] }));

const many = (count: number, command: unknown[]) => Array.from({ length: count }, () => command);
const answer = async (...parameters: Parameters<RestFixture['request']>) => {
  const { status, text } = await rest.request(...parameters);
  return [status, text];
};

test.each(['/pipeline', '/multi-exec'])(
  '%s takes 10 000 commands, and refuses more without running any',
  async (path) => {
    const { status, text } = await rest.request(path, { body: many(10_000, ['INCR', 'n']) });
    expect([status, (JSON.parse(text) as { result: number }[]).at(-1)]).toEqual([200, { result: 10_000 }]);
    const error = 'ERR max commands per request exceeded. Limit: 10000 commands, Actual: 10001 commands';
    expect(await answer(path, { body: many(10_001, ['INCR', 'n']) })).toEqual([400, JSON.stringify({ error })]);
    expect(await answer('/', { body: ['GET', 'n'] })).toEqual([200, '{"result":"10000"}']);
  },
);

test('a command takes 250 000 arguments, and refuses more', async () => {
  const error = 'ERR max arguments per request exceeded. Limit: 250000 arguments, Actual: 250001 arguments';
  expect(await answer('/', { body: ['DEL', ...many(249_999, ['k']).flat()] })).toEqual([200, '{"result":0}']);
  expect(await answer('/', { body: ['DEL', ...many(250_000, ['k']).flat()] })).toEqual([
    400,
    JSON.stringify({ error }),
  ]);
});

test('commas and brackets inside texts are not counted', async () => {
  const value = `${'[,'.repeat(300_000)}"\\`;
  expect(await answer('/', { body: ['SET', 'k', value] })).toEqual([200, '{"result":"OK"}']);
  expect(await answer('/', { body: ['STRLEN', 'k'] })).toEqual([200, `{"result":${value.length}}`]);
});

test('a body of 10 MB that is nothing but brackets is refused without being kept', async () => {
  for (const junk of ['[', '[],', '{"":', '1,']) {
    const body = `[${junk.repeat(Math.floor(10_000_000 / junk.length))}`;
    expect((await rest.request('/pipeline', { body })).status, junk).toBe(400);
  }
});

test('while long pipelines run, a short call is answered within a fraction of their time', async () => {
  const body = JSON.stringify(many(10_000, ['PING']));
  let running = 4;
  const started = performance.now();
  const long = Array.from({ length: running }, async () => {
    expect((await rest.request('/pipeline', { body })).status).toBe(200);
    running -= 1;
  });
  const waits: number[] = [];
  while (running > 0) {
    const begin = performance.now();
    await rest.request('/', { body: ['GET', 'k'] });
    waits.push(performance.now() - begin);
  }
  await Promise.all(long);
  const median = waits.sort((a, b) => a - b)[waits.length >> 1] as number;
  expect(waits.length).toBeGreaterThan(10);
  expect(median).toBeLessThan((performance.now() - started) / 5);
});

test('a pipeline whose caller has gone stops', async () => {
  const body = JSON.stringify([...many(9_000, ['ECHO', 'x'.repeat(1_000)]), ['SET', 'end', 1]]);
  const abort = new AbortController();
  const headers = { authorization: `Bearer ${TOKEN}` };
  const call = fetch(`${rest.gateway.url}/pipeline`, { method: 'POST', body, headers, signal: abort.signal });
  const calls = async () =>
    Number(/cmdstat_echo:calls=(\d+)/.exec((await rest.request('/', { body: ['INFO', 'commandstats'] })).text)?.[1]);
  await expect.poll(calls, { timeout: 10_000, interval: 1 }).toBeGreaterThan(0);
  abort.abort();
  await expect(call).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(await calls()).toBeLessThan(9_000);
  expect(await answer('/', { body: ['EXISTS', 'end'] })).toEqual([200, '{"result":0}']);
});

test('a pipeline whose answers are too large is refused with their size, and its commands are executed', async () => {
  await rest.request('/', { body: ['SET', 'big', 'x'.repeat(1_000_000)] });
  const body = [...many(30, ['GET', 'big']), ['INCR', 'n']];
  // Each answer is {"result":"..."} and a comma or bracket.
  const bytes = 30 * (1_000_000 + 14) + '{"result":1},'.length + 1;
  const { status, text } = await rest.request('/pipeline', { body });
  expect([status, text]).toEqual([400, expect.stringContaining(`Limit: 10485760 bytes, Actual: ${bytes} bytes.`)]);
  expect(await answer('/', { body: ['GET', 'n'] })).toEqual([200, '{"result":"1"}']);
});

test.each([
  ['EVAL', ['EVAL', 'while true do end', 0]],
  ['FCALL', ['FCALL', 'spin', 0]],
])('an endless %s whose caller has gone is ended, and Redis serves again', async (_, command) => {
  const library = `#!lua name=endless\nredis.register_function('spin', function() while true do end end)`;
  await rest.request('/', { body: ['FUNCTION', 'LOAD', 'REPLACE', library] });
  const headers = { authorization: `Bearer ${TOKEN}` };
  const call = fetch(rest.gateway.url, {
    method: 'POST',
    body: JSON.stringify(command),
    headers,
    signal: AbortSignal.timeout(500),
  });
  await expect(call).rejects.toThrow(/timeout/);
  const ping = async () => (await rest.request('/', { body: ['PING'] })).text;
  await expect.poll(ping, { timeout: 60_000 }).toBe('{"result":"PONG"}');
});

test('an endless script is ended by SCRIPT KILL of another caller', async () => {
  const endless = rest.request('/', { body: ['EVAL', 'while true do end', 0] });
  const kill = () => answer('/', { body: ['SCRIPT', 'KILL'] });
  await expect.poll(kill, { timeout: 20_000 }).toEqual([200, '{"result":"OK"}']);
  expect((await endless).text).toMatch(/Script killed by user/);
});
