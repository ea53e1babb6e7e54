import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RestFixture, startRest } from '../support/upstash-fixture.ts';

let rest: RestFixture;
beforeAll(async () => {
  rest = await startRest();
});
afterAll(() => rest.stop());

const run = async (command: unknown[]): Promise<{ result?: unknown; error?: string }> =>
  JSON.parse((await rest.request('/', { body: command })).text);

/** Each command twice: its name known from the script's text, and only from its arguments. */
const scripts = (name: string) => [
  `#!lua flags=allow-key-locking\nreturn redis.pcall(unpack(ARGV)) -- ${name}`,
  '#!lua flags=allow-key-locking\nlocal r = redis.pcall(unpack(ARGV)) return r',
];

test.each([
  'SET k v',
  'SET k v EX 10 NX',
  'MGET a b c',
  'MSET a 1 b 2 c 3',
  'DEL a b',
  'EXISTS a b a2',
  'RENAME from to',
  'COPY from to REPLACE',
  'BITOP AND to a b',
  'BITFIELD_RO k GET u8 0',
  'SMOVE from to m',
  'SINTERSTORE to a b',
  'SINTERCARD 2 a b LIMIT 3',
  'ZUNIONSTORE to 2 a b WEIGHTS 1 2',
  'ZINTER 2 a b',
  'ZRANGESTORE to from 0 -1',
  'ZMPOP 2 a b MIN',
  'LMPOP 2 a b LEFT',
  'LMOVE from to LEFT RIGHT',
  'PFMERGE to a b',
  'XREAD COUNT 2 STREAMS s t 0 0',
  'XREADGROUP GROUP g c STREAMS s t > >',
  'XGROUP CREATE s g $ MKSTREAM',
  'XINFO STREAM s',
  'XADD s * f v',
  'GEOSEARCHSTORE to from FROMLONLAT 1 1 BYRADIUS 5 m',
  'GEORADIUS k 1 1 5 m STORE to',
  'OBJECT ENCODING k',
  'MEMORY USAGE k',
  'GETEX k PERSIST',
  'HSET h f v g w',
  'PFCOUNT a b',
])('every key of %s that Redis names has to be declared', async (line) => {
  const command = line.split(' ');
  const keys = (await run(['COMMAND', 'GETKEYS', ...command])).result as string[];
  expect(keys.length).toBeGreaterThan(0);
  for (const script of scripts(command[0] as string)) {
    for (const missing of keys) {
      const declared = keys.filter((key) => key !== missing);
      const { error } = await run(['EVAL', script, declared.length, ...declared, ...command]);
      expect(error).toBe(
        `ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: ${missing}`,
      );
    }
    const { error } = await run(['EVAL', script, keys.length, ...keys, ...command]);
    expect(error ?? '').not.toMatch(/not allowed in Lua scripts/);
  }
});
