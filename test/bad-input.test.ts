import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everyRoute, type RouteRow, signedRoutes } from './every-route.ts';
import { bytesOf, type HttpAnswer, signedHeaders } from './http-call.ts';
import { expectProblem, type RefusalWorld, signatureOf, startRefusalWorld } from './refusal-world.ts';
import { tableSums } from './table-sums.ts';

let world: RefusalWorld;
let session: string;
let sums: Record<string, string>;
beforeAll(async () => {
  world = await startRefusalWorld();
  session = (await world.newUser()).session;
  sums = await tableSums(world.stack.mysql);
});
afterAll(async () => {
  expect(await tableSums(world.stack.mysql)).toEqual(sums);
});

type Sent = { query?: string; path?: string; headers?: Record<string, string>; signature?: 'v1' | 'v2' };
/** The route's call with this body or query, rightly signed over it. */
function callOf(row: RouteRow, body: Uint8Array | undefined, sent: Sent = {}) {
  const { query = row.query ?? '', path = row.path, headers = {}, signature = 'v2' } = sent;
  const { method } = row;
  return {
    ...{ method, body, target: query ? `${encodeURI(path)}?${query}` : encodeURI(path) },
    headers: {
      ...row.headers,
      ...signedHeaders(world.app, { method, path, query, body, signature }),
      ...(row.auth === 'user' && { authorization: `Bearer ${session}` }),
      ...headers,
    } as Record<string, string>,
  };
}
const send = (row: RouteRow, body: Uint8Array | undefined, sent?: Sent): Promise<HttpAnswer> =>
  world.send(callOf(row, body, sent));
const routeOf = (key: string): RouteRow => everyRoute.find(({ route }) => route === key) as RouteRow;

const NO_OBJECTS: Array<[string, Uint8Array]> = [
  ...['{', '{"a":}', 'null', '[]', '"text"', '7', 'true', "{'a':1}", '{"a":1,}', '{}{}', '\u0000', 'undefined'].map(
    (text): [string, Uint8Array] => [JSON.stringify(text), Buffer.from(text)],
  ),
  ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ['UTF-16', Buffer.from('{}', 'utf16le')],
  ['20 000 open brackets', Buffer.from('['.repeat(20_000))],
  ['20 000 lists in each other', Buffer.from('['.repeat(20_000) + ']'.repeat(20_000))],
  ['10 000 objects in each other', Buffer.from(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`)],
];

/** A right body with one member changed to every other type, taken away, or joined by a stranger. */
function spoiled(body: Record<string, unknown>): Array<[string, unknown]> {
  const others: unknown[] = [null, true, 1.5, 'text\u0000', '', [], ['x'], {}, { toString: 1 }, 2 ** 53, -1];
  const changed = Object.keys(body).flatMap((name) =>
    others
      .filter((other) => typeof other !== typeof body[name] || other === null || Array.isArray(other))
      .map((other): [string, unknown] => [`${name} = ${JSON.stringify(other)}`, { ...body, [name]: other }]),
  );
  return [
    ...changed,
    ['a stranger', { ...body, surplus: 1 }],
    ['a stranger of JavaScript', Object.defineProperty({ ...body }, '__proto__', { value: {}, enumerable: true })],
    ['an integer that is none', { ...body, surplus: 2 ** 60 }],
  ];
}

/** Members whose other types are right too: their schema says so. */
const TAKEN: Record<string, RegExp> = {
  'PUT /me': /^profile = \{/,
  'POST /login': /^password = ""/,
};

describe.each(signedRoutes)('$route', (row) => {
  test('takes a JSON object in UTF-8 and nothing else', async () => {
    for (const [name, bytes] of NO_OBJECTS) {
      // Without a type API Gateway hands the bytes over as they are.
      const answer = await send(row, bytes, { headers: { 'content-type': 'application/octet-stream' } });
      expect([name, answer.status]).toEqual([name, 400]);
      expectProblem(answer, 'INVALID_INPUT', 400);
    }
  });

  test('names what is wrong with a body, and not what was given', async () => {
    for (const [name, json] of spoiled(row.body ?? {})) {
      if (TAKEN[row.route]?.test(name)) continue;
      const answer = await send(row, bytesOf(json));
      expect([name, answer.status]).toEqual([name, 400]);
      expectProblem(answer, 'INVALID_INPUT', 400);
      expect(answer.text).not.toContain(String(2 ** 60));
    }
    for (const name of Object.keys(row.body ?? {})) {
      const { [name]: _, ...rest } = row.body ?? {};
      if (row.route === 'POST /logout') continue;
      const answer = await send(row, bytesOf(rest));
      expectProblem(answer, 'INVALID_INPUT', 400);
      if (row.route !== 'PUT /me') expect(answer.body.errors[0].path).toBe(name);
    }
  });

  test('takes no query member that it does not know', async () => {
    const right = row.body && bytesOf(row.body);
    for (const surplus of [
      'surplus=1',
      'ids=1&ids=x&surplus',
      '__proto__=1',
      '%E4%BD%A0=1',
      '=',
      'limit=20&limit=20',
    ]) {
      const query = [row.query, surplus].filter(Boolean).join('&');
      const answer = await send(row, right, { query });
      expect([surplus, answer.status]).toEqual([surplus, 400]);
      expect(['INVALID_INPUT', 'INVALID_KEY']).toContain(answer.body.code);
    }
  });
});

describe('a body’s hash', () => {
  const row = routeOf('PUT /me');
  const body = bytesOf({ profile: { nickname: 'somebody else' } });

  test.each<[string, 'v1' | 'v2', Record<string, string>]>([
    ['v2 of another body', 'v2', {}],
    ['v1 with the hash of another body', 'v1', {}],
  ])('%s is a mismatch', async (_, signature, headers) => {
    const call = callOf(row, bytesOf({ profile: {} }), { signature, headers });
    expectProblem(await world.send({ ...call, body }), 'BODY_HASH_MISMATCH', 401);
    // As bytes too, whatever the type says.
    for (const type of ['application/octet-stream', 'image/png', '']) {
      const { 'access-token': token = '', ...rest } = callOf(row, bytesOf({ profile: {} }), { signature }).headers;
      const sent = { ...call, body, headers: { ...rest, 'access-token': token, 'content-type': type } };
      expectProblem(await world.send(sent), 'BODY_HASH_MISMATCH', 401);
    }
  });

  test('is one of bytes: two bodies that read the same as text are not the same', async () => {
    const [one, two] = [Buffer.from([0xff]), Buffer.from([0xfe])];
    const call = callOf(row, one, { headers: { 'content-type': 'application/octet-stream' } });
    expectProblem(await world.send({ ...call, body: two }), 'BODY_HASH_MISMATCH', 401);
    expectProblem(await world.send(call), 'INVALID_INPUT', 400);
  });

  test('changed on the way, or left out, is a refused token: the signature covers it', async () => {
    const call = callOf(row, body);
    const { 'x-content-sha256': hash = '', ...rest } = call.headers;
    for (const headers of [
      rest,
      { ...rest, 'x-content-sha256': hash.toUpperCase() },
      { ...rest, 'x-content-sha256': '' },
    ]) {
      const answer = await world.send({ ...call, headers });
      expect([answer.status, answer.text]).toEqual([403, '{"message":"Forbidden"}']);
    }
  });

  test('of a call with a body that was signed without one is a mismatch', async () => {
    const call = callOf(routeOf('GET /me'), undefined);
    expectProblem(await world.send({ ...call, body: Buffer.from('{}') }), 'BODY_HASH_MISMATCH', 401);
  });

  test('in upper case is none: v1 with such a header is a mismatch', async () => {
    const call = callOf(row, body, { signature: 'v1' });
    const headers = { ...call.headers, 'x-content-sha256': (call.headers['x-content-sha256'] ?? '').toUpperCase() };
    expectProblem(await world.send({ ...call, headers }), 'BODY_HASH_MISMATCH', 401);
  });
});

describe('sizes', () => {
  const row = routeOf('POST /login');
  const padded = (bytes: number): Buffer =>
    Buffer.concat([bytesOf(row.body), Buffer.alloc(bytes, ' ')]).subarray(0, bytes);

  test('64 KiB are taken, one byte more is not', async () => {
    expectProblem(await send(row, padded(64 * 1024)), 'BAD_CREDENTIALS', 401);
    expectProblem(await send(row, padded(64 * 1024 + 1)), 'TOO_LARGE', 413);
    const notice = { method: 'POST', target: '/recharge/notify/sandbox', headers: {}, body: Buffer.alloc(65_537, ' ') };
    expectProblem(await world.send(notice), 'TOO_LARGE', 413);
  });

  test('beyond 10 MB, or 10 KB of headers, API Gateway refuses by itself', async () => {
    const huge = await send(row, Buffer.alloc(10 * 1024 * 1024 + 1, ' '));
    expect([huge.status, huge.text]).toEqual([413, '{"message":"Request Entity Too Large"}']);
    const call = callOf(row, bytesOf(row.body), { headers: { 'x-long': 'x'.repeat(11_000) } });
    expect((await world.send(call)).status).toBe(431);
  });
});

describe('ids, keys and headers', () => {
  test.each(['0', '01', '-1', '1.5', '1e3', '１', '12345678901234567', '__proto__', 'a:b', '*', ' 1', '1\u00a0'])(
    'the id %j is INVALID_KEY, alone and in a list',
    async (id) => {
      expectProblem(
        await send(routeOf('GET /data/{resource}/{id}'), undefined, { path: `/data/notice/${id}` }),
        'INVALID_KEY',
        400,
      );
      const query = `ids=1,${encodeURIComponent(id)}`;
      expectProblem(await send(routeOf('GET /data/{resource}'), undefined, { query }), 'INVALID_KEY', 400);
    },
  );

  test.each(['__proto__', 'constructor', 'toString', 'notices', 'NOTICE', 'notice ', '你'])(
    'the resource %j is unknown',
    async (resource) => {
      const answer = await send(routeOf('GET /data/{resource}/{id}'), undefined, { path: `/data/${resource}/1` });
      expectProblem(answer, 'UNKNOWN_RESOURCE', 404);
    },
  );

  test('a list has 1 to 100 ids', async () => {
    const list = (count: number) => ({ query: `ids=${Array.from({ length: count }, (_, i) => i + 1).join(',')}` });
    expect((await send(routeOf('GET /data/{resource}'), undefined, list(100))).status).toBe(200);
    expectProblem(await send(routeOf('GET /data/{resource}'), undefined, list(101)), 'INVALID_INPUT', 400);
    expectProblem(await send(routeOf('GET /data/{resource}'), undefined, { query: 'ids=' }), 'INVALID_KEY', 400);
  });

  test.each([
    '',
    'short',
    'x'.repeat(65),
    'with a space in it',
    'colon:colon:colon:',
    '键键键键键键键键键键键键键键键键',
  ])('the idempotency-key %j is none', async (key) => {
    for (const name of ['POST /recharge', 'POST /balance/spend']) {
      const row = routeOf(name);
      const headers = { 'idempotency-key': Buffer.from(key).toString('latin1') };
      expectProblem(await send(row, bytesOf(row.body), { headers }), 'MISSING_IDEMPOTENCY_KEY', 400);
    }
  });

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Basic eA==',
    's1.x.y',
    'Bearer p1.a.b.c',
    `Bearer s1.${'A'.repeat(22)}.${'A'.repeat(43)}`,
    'Bearer a,Bearer b',
  ])('the authorization %j is no session', async (authorization) => {
    await world.stack.resetCounters();
    expectProblem(await send(routeOf('GET /me'), undefined, { headers: { authorization } }), 'LOGIN_REQUIRED', 401);
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });
});

test('a refusal speaks Chinese or English, and its code never changes', async () => {
  const row = routeOf('GET /me');
  const answers = [];
  for (const language of ['zh-CN,zh;q=0.9,en;q=0.8', 'en-US', 'fr', 'zh']) {
    const headers = { authorization: '', 'accept-language': language };
    const answer = await send(row, undefined, { headers });
    expectProblem(answer, 'LOGIN_REQUIRED', 401);
    answers.push(answer);
  }
  const [zh, en, other, short] = answers.map(({ body }) => [body.title, body.detail]);
  expect(zh?.join()).toMatch(/^\p{Script=Han}/u);
  expect(en?.join()).toMatch(/^[ -~]+$/);
  expect([other, short]).toEqual([en, zh]);
});

test('what a refused call was signed with is not used up', async () => {
  const call = callOf(routeOf('PUT /me'), Buffer.from('[]'));
  expectProblem(await world.send(call), 'INVALID_INPUT', 400);
  expect(await world.stack.redis.keys(`*${signatureOf(call)}*`)).toEqual([]);
});
