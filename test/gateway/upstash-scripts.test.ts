import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RestFixture, sha1, startRest } from '../support/upstash-fixture.ts';

let rest: RestFixture;
beforeAll(async () => {
  rest = await startRest();
});
afterAll(() => rest.stop());
beforeEach(() => rest.request('/', { body: ['FLUSHALL'] }));

const FLAG = '#!lua flags=allow-key-locking\n';
const run = async (...command: unknown[]): Promise<{ result?: unknown; error?: string }> =>
  JSON.parse((await rest.request('/', { body: command })).text);
const flagged = (body: string, keys: string[] = [], ...args: unknown[]) =>
  run('EVAL', FLAG + body, keys.length, ...keys, ...args);
const dynamic = (key: string) =>
  `ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: ${key}`;

describe('a script flagged allow-key-locking', () => {
  test('may use its declared keys: computed, in loops, unpacked, or several in one command', async () => {
    const body = `
      for i = 1, #KEYS do redis.call('SET', KEYS[i], i) end
      redis.call('INCRBY', 'k:' .. ARGV[1], 10)
      redis.call('MSET', KEYS[3], 'c', KEYS[1], 'a')
      local all = redis.call('mget', unpack(KEYS))
      redis.call('DEL', unpack(KEYS))
      return { all, redis.call('EXISTS', unpack(KEYS)) }`;
    expect(await flagged(body, ['k:1', 'k:2', 'k:3'], '2')).toEqual({ result: [['a', '12', 'c'], 0] });
  });

  test.each([
    ['a computed key', `redis.call('SET', KEYS[1] .. 'x', 1)`, 'ax'],
    ['a literal key', `redis.call('GET', 'literal')`, 'literal'],
    ['a key from ARGV', `redis.call('INCR', ARGV[1])`, 'from-argv'],
    ['a number as key', `redis.call('INCR', 17)`, '17'],
    ['one of many', `redis.call('MGET', KEYS[1], 'z', KEYS[1])`, 'z'],
    ['the second of pairs', `redis.call('MSET', KEYS[1], 1, 'second', 2)`, 'second'],
    ['a counted key', `redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[1], 'counted')`, 'counted'],
    ['a key after a keyword', `redis.call('XREAD', 'COUNT', 1, 'STREAMS', KEYS[1], 'stream', 0, 0)`, 'stream'],
    ['a subcommand’s key', `redis.call('OBJECT', 'ENCODING', 'object')`, 'object'],
    ['a command named at run time', `local f = 's' .. 'et' redis.call(f, 'runtime', 1)`, 'runtime'],
  ])('is refused %s', async (_, statement, key) => {
    const { error } = await flagged(`${statement}\nreturn 1`, ['a'], 'from-argv');
    expect(error).toContain(dynamic(key));
    expect(await run('DBSIZE')).toEqual({ result: 0 });
  });

  test('gets the refusal as a value from pcall and continues', async () => {
    const body = `
      local refused = redis.pcall('SET', 'other', 1)
      local caught, thrown = pcall(redis.call, 'SET', 'other', 1)
      redis.call('SET', KEYS[1], 'kept')
      return { refused.err, tostring(caught), thrown, redis.pcall('INCR', KEYS[1]).err }`;
    expect(await flagged(body, ['k'])).toEqual({
      result: [dynamic('other'), 'false', dynamic('other'), 'ERR value is not an integer or out of range'],
    });
    expect(await flagged(`return redis.pcall('GET', 'other')`)).toEqual({ error: dynamic('other') });
    expect(await run('GET', 'k')).toEqual({ result: 'kept' });
  });

  test('may not touch the whole database, nor keys that are not known before it runs', async () => {
    for (const command of [`'FLUSHALL'`, `'FLUSHDB'`, `'KEYS', '*'`, `'SCAN', 0`, `'RANDOMKEY'`])
      expect((await flagged(`return redis.pcall(${command})`)).error).toMatch(/need the whole database/);
    expect((await flagged(`return redis.pcall('SORT', KEYS[1], 'BY', 'w_*')`, ['l'])).error).toMatch(/not known/);
    expect((await flagged(`return redis.pcall('BLAH', KEYS[1])`, ['l'])).error).toMatch(/Unknown Redis command/);
  });

  test('returns what the same script returns without the flag', async () => {
    const bodies = [
      `return nil`,
      `return { 1, false, 'x', nil, 'cut' }`,
      `return 3.99`,
      `return { { 'nested', { 2 } }, true }`,
      `return redis.call('SET', KEYS[1], ARGV[1])`,
      `return redis.call('HGETALL', KEYS[2])`,
      `return redis.status_reply('FINE')`,
      `return redis.error_reply('MY own')`,
      `return { redis.sha1hex('x'), redis.LOG_WARNING, #redis.call('TIME'), cjson.encode({ a = 1 }) }`,
      `redis.call('HSET', KEYS[2], 'f', 1, 'g', 2) return redis.call('HGETALL', KEYS[2])`,
      `-- a comment on the first line\nreturn redis.call('LPUSH', KEYS[3], unpack(ARGV))`,
      `local redis = redis return redis.call('GET', KEYS[1])`,
      `return redis.nothing == nil`,
    ];
    for (const body of bodies) {
      await run('FLUSHALL');
      const plain = await run('EVAL', body, 3, 'a', 'b', 'c', 'v', 'w');
      await run('FLUSHALL');
      expect(await flagged(body, ['a', 'b', 'c'], 'v', 'w'), body).toEqual(plain);
    }
  });

  test('reports errors with its own hash and its own line numbers', async () => {
    const wrongType = `local x = 1\nredis.call('SET', KEYS[1], 'v')\nlocal n = redis.call('INCR', KEYS[1])\nreturn n`;
    expect((await flagged(wrongType, ['k'])).error).toBe(
      `ERR value is not an integer or out of range script: ${sha1(FLAG + wrongType)}, on @user_script:4.`,
    );
    const refused = `local x = 1\n\nlocal y = redis.call('GET', 'other')\nreturn y`;
    expect((await flagged(refused)).error).toBe(
      `${dynamic('other')} script: ${sha1(FLAG + refused)}, on @user_script:4.`,
    );
    expect((await flagged(`local x\nreturn x.y`)).error).toMatch(/user_script:3: attempt to index local 'x'/);
    expect((await flagged(`local x =\nreturn (`)).error).toMatch(/user_script:3:/);
    expect((await flagged(`x = 1`)).error).toMatch(/user_script:2: Attempt to modify a readonly table/);
    expect((await flagged(`redis.call = nil`)).error).toMatch(/user_script:2: Attempt to modify a readonly table/);
  });

  test('keeps its other flags', async () => {
    const script = `#!lua flags=no-writes,allow-key-locking\nlocal x = 1\nreturn redis.call('SET', KEYS[1], 1)`;
    expect((await run('EVAL', script, 1, 'k')).error).toMatch(/Write commands are not allowed from read-only scripts/);
    const read = `#!lua flags=allow-key-locking,no-writes\nreturn redis.call('GET', KEYS[1])`;
    expect(await run('EVAL_RO', read, 1, 'k')).toEqual({ result: null });
    expect((await run('EVAL_RO', read, 1, 'k')).error).toBeUndefined();
  });
});

describe('the hash of a flagged script', () => {
  test('is the hash of the text that the caller sent', async () => {
    const script = `${FLAG}return 'by ' .. KEYS[1]`;
    const noscript = { error: 'NOSCRIPT No matching script. Please use EVAL.' };
    expect(await run('EVALSHA', sha1(script), 1, 'k')).toEqual(noscript);
    expect(await run('SCRIPT', 'EXISTS', sha1(script))).toEqual({ result: [0] });
    expect(await run('EVAL', script, 1, 'k')).toEqual({ result: 'by k' });
    expect(await run('EVALSHA', sha1(script).toUpperCase(), 1, 'k')).toEqual({ result: 'by k' });
    expect(await run('SCRIPT', 'EXISTS', sha1(script), sha1('other'))).toEqual({ result: [1, 0] });
    expect(await run('SCRIPT', 'FLUSH')).toEqual({ result: 'OK' });
    expect(await run('EVALSHA', sha1(script), 1, 'k')).toEqual(noscript);
    expect(await run('SCRIPT', 'LOAD', script)).toEqual({ result: sha1(script) });
    expect(await run('EVALSHA', sha1(script), 1, 'k')).toEqual({ result: 'by k' });
  });

  test('works in pipelines and transactions; only an unknown hash is refused there', async () => {
    const script = `${FLAG}return redis.call('INCR', KEYS[1])`;
    const batch = [
      ['EVALSHA', sha1('nobody'), 0],
      ['EVAL', script, 1, 'n'],
      ['EVALSHA', sha1(script), 1, 'n'],
      ['GET', 'n'],
    ];
    const noscript = { error: 'NOSCRIPT No matching script. Please use EVAL.' };
    const expected = [noscript, { result: 1 }, { result: 2 }, { result: '2' }];
    expect(JSON.parse((await rest.request('/pipeline', { body: batch })).text)).toEqual(expected);
    await run('DEL', 'n');
    expect(JSON.parse((await rest.request('/multi-exec', { body: batch })).text)).toEqual(expected);
  });
});

test('a script without the flag may compute its keys, as on Redis itself', async () => {
  expect(await run('EVAL', `return redis.call('SET', 'computed' .. ARGV[1], 1)`, 0, 'x')).toEqual({ result: 'OK' });
  expect((await run('EVAL', `\n${FLAG}return 1`, 0)).error).toMatch(/ERR/);
});
