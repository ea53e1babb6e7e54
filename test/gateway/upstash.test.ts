import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { READ_ONLY, type RestFixture, startRest } from '../support/upstash-fixture.ts';

let rest: RestFixture;
beforeAll(async () => {
  rest = await startRest();
});
afterAll(() => rest.stop());
beforeEach(() => rest.request('/', { body: ['FLUSHALL'] }));

const answer = async (...parameters: Parameters<RestFixture['request']>) => {
  const { status, text } = await rest.request(...parameters);
  return [status, text];
};
const BASE64 = { 'upstash-encoding': 'base64' };

describe('the form of answers', () => {
  test('texts, integers, null and lists have RESP2 shapes', async () => {
    expect(await answer('/', { body: ['SET', 'k', 'v'] })).toEqual([200, '{"result":"OK"}']);
    expect(await answer('/', { body: ['get', 'k'] })).toEqual([200, '{"result":"v"}']);
    expect(await answer('/', { body: ['GET', 'absent'] })).toEqual([200, '{"result":null}']);
    await rest.request('/', { body: ['HSET', 'h', 'a', 1, 'b', true] });
    expect(await answer('/', { body: ['hgetall', 'h'] })).toEqual([200, '{"result":["a","1","b","true"]}']);
    await rest.request('/', { body: ['ZADD', 'z', 1.5, 'm'] });
    expect(await answer('/', { body: ['ZSCORE', 'z', 'm'] })).toEqual([200, '{"result":"1.5"}']);
    expect(await answer('/', { body: ['EVAL', 'return {true, false, 1}', 0] })).toEqual([200, '{"result":[1,null,1]}']);
  });

  test('an integer of 64 bits is exact in requests and answers', async () => {
    expect(await answer('/', { body: '["SET","n",9223372036854775806]' })).toEqual([200, '{"result":"OK"}']);
    expect(await answer('/', { body: ['INCR', 'n'] })).toEqual([200, '{"result":9223372036854775807}']);
    expect(await answer('/', { body: '["SET","s","a \\"1, 9223372036854775806"]' })).toEqual([200, '{"result":"OK"}']);
    expect(await answer('/', { body: ['GET', 's'] })).toEqual([200, '{"result":"a \\"1, 9223372036854775806"}']);
  });

  test('base64 encodes every text except a top-level OK, and no error', async () => {
    expect(await answer('/', { body: ['SET', 'k', 'OK'], headers: BASE64 })).toEqual([200, '{"result":"OK"}']);
    expect(await answer('/', { body: ['MGET', 'k', 'absent'], headers: BASE64 })).toEqual([
      200,
      '{"result":["T0s=",null]}',
    ]);
    expect(await answer('/', { body: ['PING'], headers: BASE64 })).toEqual([200, '{"result":"UE9ORw=="}']);
    expect(await answer('/', { body: ['INCR', 'k'], headers: BASE64 })).toEqual([
      400,
      '{"error":"ERR value is not an integer or out of range"}',
    ]);
  });

  test('bytes survive in base64 and become replacement characters without it', async () => {
    expect(await answer('/set/bytes/%FF%00a', { method: 'GET' })).toEqual([200, '{"result":"OK"}']);
    expect(await answer('/', { body: ['GET', 'bytes'], headers: BASE64 })).toEqual([200, '{"result":"/wBh"}']);
    expect(await answer('/', { body: ['GET', 'bytes'] })).toEqual([200, '{"result":"\ufffd\\u0000a"}']);
  });

  test('resp2 answers are raw; it is refused with base64, in transactions and under other names', async () => {
    const resp2 = { 'upstash-response-format': 'resp2' };
    await rest.request('/', { body: ['RPUSH', 'l', 'é', 'b'] });
    const list = await rest.request('/', { body: ['LRANGE', 'l', 0, -1], headers: resp2 });
    expect([list.headers.get('content-type'), list.text]).toEqual([
      'application/octet-stream',
      '*2\r\n$2\r\né\r\n$1\r\nb\r\n',
    ]);
    const batch = [
      ['LLEN', 'l'],
      ['INCR', 'l'],
      ['SET', 'x', 1],
      ['GET', 'absent'],
    ];
    expect(await answer('/pipeline', { body: batch, headers: resp2 })).toEqual([
      200,
      ':2\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n+OK\r\n$-1\r\n',
    ]);
    const refused = [
      await answer('/', { body: ['PING'], headers: { ...resp2, ...BASE64 } }),
      await answer('/multi-exec', { body: [['PING']], headers: resp2 }),
      await answer('/', { body: ['PING'], headers: { 'upstash-response-format': 'resp9' } }),
    ];
    expect(refused.map(([status]) => status)).toEqual([400, 400, 400]);
  });

  test('every answer has its own sync token', async () => {
    const answers = [
      await rest.request('/', { body: ['PING'] }),
      await rest.request('/', { body: ['NOPE'] }),
      await rest.request('/', { body: ['PING'], headers: { authorization: 'Bearer wrong' } }),
    ];
    const tokens = answers.map(({ headers }) => headers.get('upstash-sync-token'));
    expect(tokens.every(Boolean)).toBe(true);
    expect(new Set(tokens).size).toBe(3);
  });
});

describe('the path form', () => {
  test('a command is built from the path segments, then the body, then the query', async () => {
    expect(await answer('/set/a%2Fb/v%20w', { method: 'GET' })).toEqual([200, '{"result":"OK"}']);
    expect(await answer('/get/a%2Fb', { method: 'GET' })).toEqual([200, '{"result":"v w"}']);
    expect(await answer('/set/k?EX=100&NX', { body: 'from the body' })).toEqual([200, '{"result":"OK"}']);
    expect(await answer('/ttl/k', { method: 'GET' })).toEqual([200, '{"result":100}']);
    expect(await answer('/get/k', { method: 'PUT' })).toEqual([200, '{"result":"from the body"}']);
    expect(await answer('/set/k?EX=100&NX', { method: 'PUT', body: 'again' })).toEqual([200, '{"result":null}']);
    expect((await rest.request('/set/bytes', { body: Buffer.from([255, 0]) })).status).toBe(200);
    expect(await answer('/get/bytes', { method: 'GET', headers: BASE64 })).toEqual([200, '{"result":"/wA="}']);
  });

  test('HEAD runs the command and returns no body', async () => {
    expect(await answer('/incr/heads', { method: 'HEAD' })).toEqual([200, '']);
    expect(await answer('/get/heads', { method: 'GET' })).toEqual([200, '{"result":"1"}']);
  });

  test('other methods are not allowed', async () => {
    expect((await rest.request('/get/k', { method: 'DELETE' })).status).toBe(405);
    expect((await rest.request('/get/k', { method: 'PATCH' })).status).toBe(405);
  });
});

describe('batches', () => {
  test('a pipeline keeps its order when commands in the middle are refused', async () => {
    const body = [['SET', 'k', 'v'], ['INCR', 'k'], ['SET', 'k'], ['BLPOP', 'k', 0], ['GET', 'k'], ['NOPE']];
    expect(await answer('/pipeline', { body })).toEqual([
      200,
      '[{"result":"OK"},{"error":"ERR value is not an integer or out of range"},' +
        '{"error":"ERR wrong number of arguments for \'set\' command"},' +
        '{"error":"ERR Command is not available: \'BLPOP\'. See https://upstash.com/docs/redis/overall/rediscompatibility for details"},' +
        '{"result":"v"},' +
        '{"error":"ERR Command is not available: \'NOPE\'. See https://upstash.com/docs/redis/overall/rediscompatibility for details"}]',
    ]);
  });

  test('a transaction with a malformed or unavailable command changes nothing', async () => {
    const aborted = [400, '{"error":"EXECABORT Transaction discarded because of previous errors."}'];
    expect(
      await answer('/multi-exec', {
        body: [
          ['SET', 'k', 1],
          ['SET', 'k'],
        ],
      }),
    ).toEqual(aborted);
    expect(
      await answer('/multi-exec', {
        body: [
          ['SET', 'k', 1],
          ['WATCH', 'k'],
        ],
      }),
    ).toEqual(aborted);
    expect(await answer('/', { body: ['EXISTS', 'k'] })).toEqual([200, '{"result":0}']);
  });

  test('an error in an executed transaction concerns only the command that failed', async () => {
    expect(
      await answer('/multi-exec', {
        body: [
          ['SET', 'k', 'v'],
          ['INCR', 'k'],
          ['GET', 'k'],
        ],
      }),
    ).toEqual([200, '[{"result":"OK"},{"error":"ERR value is not an integer or out of range"},{"result":"v"}]']);
  });

  test('transactions are never interleaved', async () => {
    const body = Array.from({ length: 5 }, () => ['INCR', 'n']);
    const answers = await Promise.all(Array.from({ length: 40 }, () => rest.request('/multi-exec', { body })));
    for (const { text } of answers) {
      const values = (JSON.parse(text) as Array<{ result: number }>).map(({ result }) => result);
      expect(values).toEqual(values.map((_, index) => (values[0] as number) + index));
    }
  });
});

describe('what is refused', () => {
  test('commands that block or change the connection, with Upstash’s text', async () => {
    const commands = ['brpop', 'SUBSCRIBE', 'multi', 'SELECT', 'CLIENT', 'SHUTDOWN', 'CONFIG', 'JSON.SET'];
    for (const name of commands) {
      const error = `ERR Command is not available: '${name.toUpperCase()}'. See https://upstash.com/docs/redis/overall/rediscompatibility for details`;
      expect(await answer('/', { body: [name, 'x', '1'] })).toEqual([400, JSON.stringify({ error })]);
    }
    expect((await answer('/', { body: ['XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'] }))[0]).toBe(400);
    expect(await answer('/', { body: ['XREAD', 'STREAMS', 'BLOCK', '0'] })).toEqual([200, '{"result":null}']);
  });

  test('bodies that are not a command', async () => {
    const bodies = ['', '{', '{"a":1}', '[]', '[null]', '["GET",null]', '["GET",{}]', '["GET",["k"]]', '"GET"'];
    for (const body of bodies) expect((await rest.request('/', { body })).status, body).toBe(400);
    for (const body of ['[]', '["GET","k"]', '[[]]', '{}'])
      expect((await rest.request('/pipeline', { body })).status, body).toBe(400);
    expect((await rest.request('/get/%zz', { method: 'GET' })).status).toBe(400);
  });

  test('a wrong, missing or malformed token, also when the query contains a right one', async () => {
    const wrongpass = [401, '{"error":"WRONGPASS invalid or missing auth token"}'];
    for (const authorization of ['Bearer wrong', 'Bearer ', 'full-token', 'Basic x', ''])
      expect(await answer('/get/k?_token=full-token', { method: 'GET', headers: { authorization } })).toEqual(
        wrongpass,
      );
    const bare = await fetch(`${rest.gateway.url}/get/k`);
    expect([bare.status, await bare.text()]).toEqual(wrongpass);
    const inQuery = await fetch(`${rest.gateway.url}/get/k?_token=full-token`);
    expect([inQuery.status, await inQuery.text()]).toEqual([200, '{"result":null}']);
  });

  test('writes, scripts, listings and subscriptions with the read-only token', async () => {
    const headers = { authorization: `Bearer ${READ_ONLY}` };
    await rest.request('/', { body: ['SET', 'k', 'v'] });
    expect(await answer('/', { body: ['get', 'k'], headers })).toEqual([200, '{"result":"v"}']);
    expect(await answer('/', { body: ['OBJECT', 'ENCODING', 'k'], headers })).toEqual([200, '{"result":"embstr"}']);
    for (const command of [['SET', 'k', 1], ['KEYS', '*'], ['SCAN', 0], ['EVAL', 'return 1', 0], ['FLUSHALL']]) {
      const error = `NOPERM this user has no permissions to run the '${String(command[0]).toLowerCase()}' command or its subcommand`;
      expect(await answer('/', { body: command, headers })).toEqual([400, JSON.stringify({ error })]);
    }
    expect((await answer('/subscribe/c', { headers }))[0]).toBe(400);
    expect(
      await answer('/multi-exec', {
        body: [
          ['GET', 'k'],
          ['DEL', 'k'],
        ],
        headers,
      }),
    ).toEqual([400, '{"error":"EXECABORT Transaction discarded because of previous errors."}']);
  });

  test('requests, keys and answers that are too large, with Upstash’s texts', async () => {
    const size = (actual: number) =>
      `{"error":"ERR max request size exceeded. Limit: 10485760 bytes, Actual: ${actual} bytes. See https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded for details"}`;
    const body = JSON.stringify(['SET', 'k', 'x'.repeat(10_485_760)]);
    expect(await answer('/', { body })).toEqual([400, size(body.length)]);
    const key = 'é'.repeat(16_385);
    expect(await answer('/', { body: ['MSET', 'a', 1, key, 2] })).toEqual([
      400,
      '{"error":"ERR max key size exceeded. Limit: 32768 bytes, Actual: 32770 bytes"}',
    ]);
    expect(await answer('/', { body: ['SET', 'k', key] })).toEqual([200, '{"result":"OK"}']);
    await rest.request('/', { body: ['SET', 'big', 'x'.repeat(6_000_000)] });
    expect(await answer('/', { body: ['MGET', 'big', 'big'] })).toEqual([400, size(12_000_018)]);
  });
});
