import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RestFixture, startRest } from '../support/upstash-fixture.ts';

let rest: RestFixture;
beforeAll(async () => {
  rest = await startRest();
});
afterAll(() => rest.stop());

const run = async (command: unknown[]): Promise<{ result?: unknown; error?: string }> =>
  JSON.parse((await rest.request('/', { body: command })).text);
const notAvailable = (name: string) =>
  `ERR Command is not available: '${name}'. See https://upstash.com/docs/redis/overall/rediscompatibility for details`;

test.each([
  'SCRIPT DEBUG SYNC',
  'SCRIPT DEBUG YES',
  'SCRIPT HELP',
  'FUNCTION DUMP',
  'FUNCTION RESTORE x',
  'MEMORY PURGE',
  'MEMORY DOCTOR',
  'OBJECT HELP',
  'PUBSUB SHARDCHANNELS',
  'XGROUP HELP',
  'COMMAND HELP',
])('the subcommand in %s is refused, because Upstash does not have it', async (line) => {
  const command = line.split(' ');
  const refused = { error: notAvailable(command.slice(0, 2).join(' ')) };
  expect(await run(command)).toEqual(refused);
  expect(await run(command.map((word) => word.toLowerCase()))).toEqual(refused);
  const inPipeline = await rest.request('/pipeline', { body: [command, ['PING']] });
  expect(JSON.parse(inPipeline.text)).toEqual([refused, { result: 'PONG' }]);
  expect((await rest.request('/multi-exec', { body: [command] })).status).toBe(400);
  expect(await run(['EVAL', 'return 1', 0])).toEqual({ result: 1 });
});

test('every command that Redis marks as administrative, blocking or of a connection is refused', async () => {
  const marks = new Set(['@admin', '@blocking', '@connection', '@transaction', '@dangerous']);
  const harmless = new Set('PING ECHO XREAD XREADGROUP FLUSHALL FLUSHDB KEYS INFO RESTORE COMMAND FUNCTION'.split(' '));
  const { result } = (await run(['COMMAND'])) as { result: [string, number, string[], ...unknown[]][] };
  const marked = result
    .filter((entry) => (entry[6] as string[]).some((category) => marks.has(category)))
    .map(([name]) => name.toUpperCase())
    .filter((name) => !harmless.has(name));
  expect(marked.length).toBeGreaterThan(40);
  for (const name of marked) expect((await run([name, 'a', 'b', 'c'])).error, name).toBe(notAvailable(name));
});

test('containers of administrative commands, and commands that Upstash does not have, are refused', async () => {
  const containers = 'ACL CLIENT CLUSTER CONFIG DEBUG LATENCY MODULE SLOWLOG HELLO RESET MONITOR PSUBSCRIBE'.split(' ');
  for (const name of [
    ...containers,
    'SORT',
    'SORT_RO',
    'LCS',
    'SUBSTR',
    'MOVE',
    'SPUBLISH',
    'XSETID',
    'LOLWUT',
    'WAIT',
    'NOPE',
  ])
    expect(await run([name, 'k', 'x'])).toEqual({ error: notAvailable(name) });
});

test('the subcommands that Upstash has are served', async () => {
  expect(await run(['SCRIPT', 'KILL'])).toEqual({ error: 'NOTBUSY No scripts in execution right now.' });
  expect(await run(['function', 'kill'])).toEqual({ error: 'NOTBUSY No scripts in execution right now.' });
  expect(await run(['FUNCTION', 'LIST'])).toEqual({ result: [] });
  expect(await run(['SCRIPT'])).toMatchObject({ error: expect.stringContaining('wrong number of arguments') });
  expect(await run(['SET', 'k', 'v'])).toEqual({ result: 'OK' });
  expect(await run(['MEMORY', 'usage', 'k'])).toMatchObject({ result: expect.any(Number) });
  expect(await run(['PUBSUB', 'NUMPAT'])).toEqual({ result: 0 });
  expect(await run(['COMMAND', 'GETKEYS', 'GET', 'k'])).toEqual({ result: ['k'] });
});

test.each([
  ['XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'],
  ['xread', 'count', 1, 'block', 0, 'streams', 's', '$'],
  ['XREADGROUP', 'GROUP', 'streams', 'c', 'BLOCK', 0, 'STREAMS', 's', '>'],
  ['XREADGROUP', 'GROUP', 'g', 'STREAMS', 'BLOCK', 0, 'STREAMS', 's', '>'],
  ['XREADGROUP', 'COUNT', 'STREAMS', 'GROUP', 'g', 'c', 'BLOCK', 0, 'STREAMS', 's', '>'],
  ['XREADGROUP', 'NOACK', 'BLOCK', 0, 'GROUP', 'g', 'c', 'STREAMS', 's', '>'],
  ['XREAD', 'BLOCK\0x', 0, 'STREAMS', 's', '$'],
])('a read that would block is refused: %s %s %s %s', async (...command) => {
  expect(await run(command)).toEqual({ error: notAvailable(String(command[0]).toUpperCase()) });
});

test.each([
  ['a group', ['XREADGROUP', 'GROUP', 'BLOCK', 'c', 'STREAMS', 's', '>']],
  ['a consumer', ['XREADGROUP', 'COUNT', 1, 'GROUP', 'g', 'BLOCK', 'STREAMS', 's', '>']],
  ['a stream', ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'BLOCK', '>']],
])('%s may have the name BLOCK', async (_, command) => {
  for (const [stream, group] of [
    ['s', 'BLOCK'],
    ['s', 'g'],
    ['BLOCK', 'g'],
  ])
    await run(['XGROUP', 'CREATE', stream, group, '$', 'MKSTREAM']);
  expect(await run(command)).toEqual({ result: null });
});

test('the length of a key is found where the grammar has the key', async () => {
  const key = 'k'.repeat(32_769);
  const tooLong = { error: 'ERR max key size exceeded. Limit: 32768 bytes, Actual: 32769 bytes' };
  expect(await run(['XREADGROUP', 'COUNT', 1, 'GROUP', 'streams', 'c', 'STREAMS', key, '>'])).toEqual(tooLong);
  expect(await run(['XREAD', 'STREAMS', 's', key, 0, 0])).toEqual(tooLong);
  expect(await run(['GEORADIUS', 'geo', 1, 1, 5, 'm', 'STORE', key])).toEqual(tooLong);
});

test('a flagged script may name its consumer streams, and has to declare the stream', async () => {
  const script = `#!lua flags=allow-key-locking
    return redis.pcall('XREADGROUP', 'COUNT', 1, 'GROUP', 'streams', 'c', 'STREAMS', ARGV[1], '>')`;
  expect((await run(['EVAL', script, 1, 's', 's'])).error).toMatch(/NOGROUP/);
  expect((await run(['EVAL', script, 1, 'other', 's'])).error).toMatch(/Dynamic keys are not allowed.* Key was: s$/);
});
