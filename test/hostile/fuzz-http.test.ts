import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PluginServerSimulator, startPluginServer } from '../../local/simulators/plugin-server.ts';
import { canonicalQuery, decodePath } from '../../shared/app/signature.ts';
import { atTime, wholeSecond } from '../support/clock.ts';
import { everyRoute, type RouteRow } from '../support/every-route.ts';
import { type HttpAnswer, type HttpCall, sendCall, signedHeaders } from '../support/http-call.ts';
import { type RefusalWorld, startRefusalWorld } from '../support/refusal-world.ts';
import { tableSums } from '../support/table-sums.ts';

/** The seed of the random calls. FUZZ_SEED repeats a run, FUZZ_RUNS makes it longer. */
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = Number(process.env.FUZZ_RUNS ?? 150);

let world: RefusalWorld;
let server: PluginServerSimulator;
beforeAll(async () => {
  console.log(`fuzz seed ${seed}, ${numRuns} runs a property`);
  world = await startRefusalWorld();
  server = await startPluginServer({ pluginId: 'shop', pushSecrets: [world.pushSecret] });
  await world.stack.mysql.execute('UPDATE plugins SET server_url = ?', [server.pushUrl]);
});
afterAll(async () => {
  await server?.stop();
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom(
    '',
    '\u0000',
    '\ud800',
    '\udfff\ud800',
    '😀'.repeat(64),
    'a'.repeat(4_000),
    '__proto__',
    "' OR 1=1 --",
    '{{7*7}}',
    '../../x',
    '%00',
    'İ',
    'ﬁ',
  ),
);
const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
const value = fc.oneof(
  text,
  json,
  fc.integer(),
  fc.double(),
  fc.bigInt().map(Number),
  fc.dictionary(text, json, { maxKeys: 4 }),
);

/** A nearly valid body: some members are changed, one may be added. */
const nearlyRight = (right: Record<string, unknown>): fc.Arbitrary<string> =>
  fc
    .tuple(
      ...Object.entries(right).map(([name, member]) =>
        fc.oneof(
          { weight: 3, arbitrary: fc.constant([name, member] as const) },
          { weight: 2, arbitrary: (typeof member === 'string' ? text : value).map((other) => [name, other] as const) },
          { weight: 1, arbitrary: value.map((other) => [name, other] as const) },
        ),
      ),
    )
    .chain((members) =>
      fc
        .option(fc.tuple(text, value), { freq: 8 })
        .map((extra) => JSON.stringify(Object.fromEntries(extra ? [...members, extra] : members)) ?? ''),
    );

const bodyOf = (row: RouteRow): fc.Arbitrary<Uint8Array | undefined> =>
  fc.oneof(
    { weight: 6, arbitrary: nearlyRight(row.body ?? {}).map((body) => Buffer.from(body)) },
    { weight: 1, arbitrary: fc.json({ stringUnit: 'binary' }).map((body) => Buffer.from(body)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    { weight: 2, arbitrary: fc.constant(undefined) },
  );

/** The text as UTF-8 can encode it. */
const wellFormed = (any: string): string => Buffer.from(any).toString();

const segment = fc.oneof(
  fc.constantFrom('notice', 'voucher', 'booking', 'photo', 'shop', '1', '9', 'sandbox', 'demo'),
  text,
);
/** The path of the route, with valid or random parameters. */
const pathOf = (row: RouteRow): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constant(row.path),
    fc.array(segment, { minLength: 2, maxLength: 2 }).map((segments) => {
      const [, pattern = ''] = row.route.split(' ');
      return pattern.replace(/\{\w+\}/g, () => segments.pop() ?? '');
    }),
  );
const queryOf = (row: RouteRow): fc.Arbitrary<string> => {
  const escaped = text.map((name) => encodeURIComponent(wellFormed(name)));
  const free = fc.array(
    fc.tuple(fc.oneof(escaped, fc.constantFrom('ids', 'after', 'limit', 'list', 'status', 'user')), escaped),
    {
      maxLength: 3,
    },
  );
  return fc.oneof(
    fc.constant(row.query ?? ''),
    free.map((pairs) => pairs.map((pair) => pair.join('=')).join('&')),
    fc.stringMatching(/^[ -~]{0,30}$/).map((raw) => raw.replace(/[ #]/g, '')),
  );
};
const headersOf = fc.dictionary(
  fc.constantFrom(
    'authorization',
    'idempotency-key',
    'if-match',
    'accept-language',
    'x-content-sha256',
    'content-type',
    'user-agent',
    'x-forwarded-for',
    'cookie',
  ),
  fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,80}$/),
  { maxKeys: 3 },
);

const anyCall = fc.constantFrom(...everyRoute).chain((row) =>
  fc.record({
    row: fc.constant(row),
    path: pathOf(row),
    query: queryOf(row),
    body: bodyOf(row),
    headers: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: headersOf }),
    version: fc.constantFrom('v1', 'v2'),
    type: fc.constantFrom('application/json', 'application/octet-stream'),
  }),
);
type Drawn = typeof anyCall extends fc.Arbitrary<infer T> ? T : never;

function callOf({ row, path, query, body, headers, version, type }: Drawn, session: string): HttpCall {
  const well = wellFormed(path);
  const signable =
    decodePath(well) !== undefined && canonicalQuery(query) !== undefined && !/\/\.{1,2}(\/|$)/.test(well);
  const encoded = well.split('/').map(encodeURIComponent).join('/');
  const { method } = row;
  return {
    method,
    body,
    target: query ? `${encoded}?${query}` : encoded,
    headers: {
      ...row.headers,
      ...(row.auth === 'user' && { authorization: `Bearer ${session}` }),
      // A path that v2 cannot sign is sent with a v1 signature, which does not cover the path.
      ...signedHeaders(world.app, {
        method,
        path: well,
        query,
        body,
        signature: signable && version === 'v2' ? 'v2' : 'v1',
      }),
      'content-type': type,
      ...headers,
    },
  };
}

/** Both engines are up, so the answer to a wrong call is never a 5xx. */
function expectCallersFault(answer: HttpAnswer, call: HttpCall): void {
  const told = `${call.method} ${call.target} ${JSON.stringify(call.headers)} ${Buffer.from(call.body ?? '')} -> ${answer.text}`;
  expect(answer.status, told).toBeLessThan(500);
  if (answer.status < 400) return;
  // Refusals of API Gateway itself have one member.
  const code: unknown = answer.body?.code ?? answer.body?.message;
  expect(code, told).toEqual(expect.any(String));
  expect(answer.text).not.toMatch(/errno|sqlstate|redis|mysql|node_modules|\bat \w+ \(|ECONN/i);
}

const isLedger = (table: string): boolean => table.endsWith('.ledger_entries');

test('no call to any route causes a 5xx, and a refused call changes nothing', {
  timeout: 240_000,
}, async () => {
  const statuses: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(anyCall, async (drawn) => {
      const { session } = await world.newUser();
      const call = callOf(drawn, session);
      const before = await tableSums(world.stack.mysql);
      const answer = await sendCall(world.stack.url, call);
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      expectCallersFault(answer, call);
      if (answer.status < 400) return;
      const after = await tableSums(world.stack.mysql);
      // A spend that was refused is an entry that moves nothing, so that it stays refused under its key.
      const stored = answer.body?.code === 'INSUFFICIENT_BALANCE' ? Object.keys(before).filter(isLedger) : [];
      for (const name of stored) after[name] = before[name] ?? '';
      expect(after).toEqual(before);
    }),
    { seed, numRuns: 2 * numRuns, endOnFailure: false },
  );
  // The random calls cover enough: some were accepted, others were refused in several ways.
  expect(Object.keys(statuses).length).toBeGreaterThan(4);
  expect((statuses[200] ?? 0) + (statuses[201] ?? 0) + (statuses[204] ?? 0)).toBeGreaterThan(5);
});

test('any text as an access-token is refused; only a known app causes a request to Redis, once in 5 s', async () => {
  const warmAt = wholeSecond();
  const members = fc.record(
    {
      signatureMethod: fc.oneof(fc.constantFrom('SHA1', 'MD5', 'HMAC-SHA256'), value),
      AppID: fc.oneof(fc.constant(world.app.appId), fc.uuid(), value),
      timeStamp: fc.oneof(fc.constant(String(warmAt / 1000)), value),
      nonce: fc.oneof(fc.stringMatching(/^[a-z]{20}$/), value),
      signature: fc.oneof(fc.stringMatching(/^[0-9a-f]{40}$/), fc.stringMatching(/^[0-9a-f]{64}$/), value),
    },
    { requiredKeys: [] },
  );
  const tokens = fc.oneof(
    fc.stringMatching(/^[\x21-\x7e]{1,300}$/),
    fc.base64String({ minLength: 4, maxLength: 400 }),
    members.map((token) => Buffer.from(JSON.stringify(token)).toString('base64')),
  );
  const target = '/data/notice/1';
  const read = (headers: Record<string, string>) => sendCall(world.stack.url, { method: 'GET', target, headers });
  const signed = (app = world.app) => signedHeaders(app, { method: 'GET', path: target });
  const requests = async () => {
    const { redisRequests, mysqlRequests } = await world.stack.counters();
    return [redisRequests, mysqlRequests];
  };
  // The functions hold no app record: this call reads it at `warmAt`.
  await world.stack.api.reload();
  expect((await atTime(warmAt, () => read(signed()))).status).toBe(200);
  await world.stack.resetCounters();
  await atTime(warmAt + 4_999, () =>
    fc.assert(
      fc.asyncProperty(tokens, async (token) => {
        // API Gateway refuses more than 10 KB of headers before the authorizer sees them.
        fc.pre(token.length < 8_000);
        const answer = await read({ 'access-token': token });
        expect([answer.status, answer.text]).toEqual([403, '{"message":"Forbidden"}']);
      }),
      { seed, numRuns },
    ),
  );
  expect(await requests()).toEqual([0, 0]);
  // After a bad signature of a known app its record is read again once 5 s are over: the app may have a new key.
  const forged = () => atTime(warmAt + 5_000, () => read(signed({ ...world.app, privateKey: 'not the key' })));
  for (let i = 0; i < 3; i++) expect((await forged()).status).toBe(403);
  expect(await requests()).toEqual([1, 0]);
});
