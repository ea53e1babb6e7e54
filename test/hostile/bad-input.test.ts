import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everyRoute, type RouteRow, signedRoutes } from '../support/every-route.ts';
import { bytesOf, type HttpAnswer, type HttpCall } from '../support/http-call.ts';
import { expectProblem, type RefusalWorld, startRefusalWorld } from '../support/refusal-world.ts';
import { tableSums } from '../support/table-sums.ts';

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

type Sent = Parameters<RefusalWorld['callOf']>[3];
const callOf = (row: RouteRow, body?: Uint8Array, sent?: Sent): HttpCall => world.callOf(row, session, body, sent);
const send = (row: RouteRow, body?: Uint8Array, sent?: Sent): Promise<HttpAnswer> =>
  world.send(callOf(row, body, sent));
const routeOf = (key: string): RouteRow => everyRoute.find(({ route }) => route === key) as RouteRow;

const NO_OBJECTS: Array<[string, Uint8Array]> = [
  ...['{', '{"a":}', 'null', '[]', '"text"', '7', 'true', "{'a':1}", '{"a":1,}', '{}{}', '\u0000', 'undefined'].map(
    (text): [string, Uint8Array] => [JSON.stringify(text), Buffer.from(text)],
  ),
  ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ['UTF-16', Buffer.from('{}', 'utf16le')],
  ['20 000 open brackets', Buffer.from('['.repeat(20_000))],
  ['20 000 nested lists', Buffer.from('['.repeat(20_000) + ']'.repeat(20_000))],
  ['10 000 nested objects', Buffer.from(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`)],
];

/** Bodies made from a valid one: one member has another type or is missing, or an unknown member is added. */
function spoiled(body: Record<string, unknown>): Array<[string, unknown]> {
  const others: unknown[] = [null, true, 1.5, 'text\u0000', '', [], ['x'], {}, { toString: 1 }, 2 ** 53, -1];
  const changed = Object.keys(body).flatMap((name) =>
    others
      .filter((other) => typeof other !== typeof body[name] || other === null || Array.isArray(other))
      .map((other): [string, unknown] => [`${name} = ${JSON.stringify(other)}`, { ...body, [name]: other }]),
  );
  return [
    ...changed,
    ['an unknown member', { ...body, surplus: 1 }],
    ['the member __proto__', Object.defineProperty({ ...body }, '__proto__', { value: {}, enumerable: true })],
    ['an unknown member above 2^53', { ...body, surplus: 2 ** 60 }],
  ];
}

describe.each(signedRoutes)('$route', (row) => {
  test('accepts a JSON object in UTF-8 and nothing else', async () => {
    for (const [name, bytes] of NO_OBJECTS) {
      // Without a content type, API Gateway passes the bytes on unchanged.
      const answer = await send(row, bytes, { headers: { 'content-type': 'application/octet-stream' } });
      expect([name, answer.status]).toEqual([name, 400]);
      expectProblem(answer, 'INVALID_INPUT', 400);
    }
  });

  test('names what is wrong with a body, and does not repeat the value', async () => {
    // The schema allows some members to have another type or to be missing.
    const wrong = spoiled(row.body ?? {}).filter(([, json]) => !row.takes(json));
    expect(wrong.length).toBeGreaterThan(2);
    for (const [name, json] of wrong) {
      const answer = await send(row, bytesOf(json));
      expect([name, answer.status]).toEqual([name, 400]);
      expectProblem(answer, 'INVALID_INPUT', 400);
      expect(answer.text).not.toContain(String(2 ** 60));
    }
    for (const name of Object.keys(row.body ?? {})) {
      const { [name]: _, ...rest } = row.body ?? {};
      if (row.takes(rest)) continue;
      const answer = await send(row, bytesOf(rest));
      expectProblem(answer, 'INVALID_INPUT', 400);
      if (row.route !== 'PUT /me') expect(answer.body.errors[0].path).toBe(name);
    }
  });

  test('refuses an unknown query member', async () => {
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

describe('money', () => {
  test('a spend of an item is checked as strictly as one of an amount', async () => {
    const row = routeOf('POST /balance/spend');
    const item = { itemId: 'hat', quantity: 1 };
    const wrong = [
      ...spoiled(item),
      ['an item and an amount', { ...item, amount: 1 }],
      ['a reason', { ...item, reason: 'tea' }],
      ['a quantity above 1 000', { ...item, quantity: 1_001 }],
      ['a price', { ...item, price: 1 }],
      ...['', 'x'.repeat(65), 'a b', '../hat', '帽子', "hat' OR '1'='1"].map((itemId) => [itemId, { ...item, itemId }]),
    ] as Array<[string, unknown]>;
    for (const [name, json] of wrong) {
      const answer = await send(row, bytesOf(json));
      expect([name, answer.status, answer.body.code]).toEqual([name, 400, 'INVALID_INPUT']);
    }
  });

  test('an amount or a time of a hold that is no count within the bounds is refused by every wallet route', async () => {
    const rows = signedRoutes.filter(({ route, body }) => route.includes('/wallets/') && body && 'amount' in body);
    expect(rows).toHaveLength(3);
    for (const row of rows) {
      for (const amount of [0, -1, 0.5, 1e9 + 1, 2 ** 53, '1']) {
        expectProblem(await send(row, bytesOf({ ...row.body, amount })), 'INVALID_INPUT', 400);
      }
      for (const reason of ['', 'x'.repeat(201), 'a\u0007b', '\ud800']) {
        expectProblem(await send(row, bytesOf({ ...row.body, reason })), 'INVALID_INPUT', 400);
      }
    }
    const [hold, grant] = [routeOf('POST /wallets/{userId}/holds'), routeOf('POST /wallets/{userId}/grant')];
    for (const seconds of [0, -1, 1.5, 604_801])
      expectProblem(await send(hold, bytesOf({ ...hold.body, seconds })), 'INVALID_INPUT', 400);
    for (const expiresAt of ['', 'soon', '2037-02-30T00:00:00Z', '2037-01-01', '2040-01-01T00:00:00Z', 5])
      expectProblem(await send(grant, bytesOf({ ...grant.body, expiresAt })), 'INVALID_INPUT', 400);
  });

  test.each(['__proto__', 'constructor', 'a b', '你', '😀', 'x'.repeat(500), "' OR '1'='1", 'a\u00a0b', '*', '_'])(
    'the userId or holdId %s of a wallet route is 404, and nothing is written',
    async (id) => {
      for (const row of signedRoutes.filter(({ route }) => route.includes('/wallets/'))) {
        const parts = row.path.split('/');
        for (const at of [2, 4].filter((place) => parts[place] !== undefined && (place === 2 || parts[5]))) {
          const path = parts.with(at, id).join('/');
          const answer = await send(row, row.body && bytesOf(row.body), { path });
          expect([path, answer.status, answer.body.code]).toEqual([path, 404, 'NOT_FOUND']);
        }
      }
    },
  );
});

test.each<[string, string, string]>([
  ['a number beyond 2^53', '9007199254740993', 'profile.a'],
  ['a number beyond the range of a double', '1e999', 'profile.a'],
  ['half of a surrogate pair', '"\\ud800x"', 'profile.a'],
  ['a name with half of a surrogate pair', '{"\\udc00":1}', 'profile.a'],
  ['a reserved name', '{"__proto__":1}', 'profile'],
  ['nine levels of nesting', '{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}', 'profile'],
  ['more than 8 KiB', JSON.stringify('x'.repeat(8_200)), 'profile'],
])('a profile with %s is refused, not stored in another form', async (_, json, path) => {
  const answer = await send(routeOf('PUT /me'), Buffer.from(`{"profile":{"a":${json}}}`));
  expectProblem(answer, 'INVALID_INPUT', 400);
  expect(answer.body.errors[0].path).toBe(path);
});

describe('ids, keys and headers', () => {
  test.each(['0', '01', '-1', '1.5', '1e3', '１', '12345678901234567', '__proto__', 'a:b', '*', ' 1', '1\u00a0'])(
    'the id %j is refused with INVALID_KEY, alone and in a list',
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
    'the resource %j is refused as unknown',
    async (resource) => {
      const answer = await send(routeOf('GET /data/{resource}/{id}'), undefined, { path: `/data/${resource}/1` });
      expectProblem(answer, 'UNKNOWN_RESOURCE', 404);
    },
  );

  test('a malformed id is reported before an unknown resource', async () => {
    const call = { path: '/data/nothing/0' };
    expectProblem(await send(routeOf('GET /data/{resource}/{id}'), undefined, call), 'INVALID_KEY', 400);
    const list = { path: '/data/nothing', query: 'ids=1,x' };
    expectProblem(await send(routeOf('GET /data/{resource}'), undefined, list), 'INVALID_KEY', 400);
  });

  test.each(['bm9uc2Vuc2U', 'MTIz!', 'MTIz=', '%00'])('the cursor %j is refused', async (after) => {
    await world.stack.resetCounters();
    for (const name of ['GET /recharge', 'GET /balance/entries', 'GET /wallets/{userId}/entries']) {
      const answer = await send(routeOf(name), undefined, { query: `after=${after}` });
      expectProblem(answer, 'INVALID_INPUT', 400);
      expect(answer.body.errors[0].path).toBe('query.after');
    }
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

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
  ])('the idempotency-key %j is refused', async (key) => {
    const rows = signedRoutes.filter(({ headers }) => 'idempotency-key' in headers);
    expect(rows.length).toBeGreaterThanOrEqual(6);
    for (const row of rows) {
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
  ])('the authorization %j is refused', async (authorization) => {
    await world.stack.resetCounters();
    expectProblem(await send(routeOf('GET /me'), undefined, { headers: { authorization } }), 'LOGIN_REQUIRED', 401);
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });
});

test('a refusal has a Chinese or an English text, and the same code in both', async () => {
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
