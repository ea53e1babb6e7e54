import { beforeAll, describe, expect, test } from 'vitest';
import { everyRoute, type RouteRow } from '../support/every-route.ts';
import { bytesOf, type HttpAnswer, type HttpCall } from '../support/http-call.ts';
import { expectProblem, type RefusalWorld, recordOf, startRefusalWorld } from '../support/refusal-world.ts';

let world: RefusalWorld;
let session: string;
beforeAll(async () => {
  world = await startRefusalWorld();
  session = (await world.newUser()).session;
});

type Sent = Parameters<RefusalWorld['callOf']>[3];
const callOf = (row: RouteRow, body?: Uint8Array, sent?: Sent): HttpCall => world.callOf(row, session, body, sent);
const send = (row: RouteRow, body?: Uint8Array, sent?: Sent): Promise<HttpAnswer> =>
  world.send(callOf(row, body, sent));
const routeOf = (key: string): RouteRow => everyRoute.find(({ route }) => route === key) as RouteRow;

describe('a body’s hash', () => {
  const row = routeOf('PUT /me');
  const body = bytesOf({ profile: { nickname: 'somebody else' } });

  test.each<[string, 'v1' | 'v2', Record<string, string>]>([
    ['v2 of another body', 'v2', {}],
    ['v1 with the hash of another body', 'v1', {}],
  ])('that does not fit the body is a mismatch: %s', async (_, signature, headers) => {
    const call = callOf(row, bytesOf({ profile: {} }), { signature, headers });
    expectProblem(await world.send({ ...call, body }), 'BODY_HASH_MISMATCH', 401);
    // Bytes too must match, for every content type.
    for (const type of ['application/octet-stream', 'image/png', '']) {
      const { 'access-token': token = '', ...rest } = callOf(row, bytesOf({ profile: {} }), { signature }).headers;
      const sent = { ...call, body, headers: { ...rest, 'access-token': token, 'content-type': type } };
      expectProblem(await world.send(sent), 'BODY_HASH_MISMATCH', 401);
    }
  });

  test('covers the bytes: two bodies that decode to the same text have different hashes', async () => {
    const [one, two] = [Buffer.from([0xff]), Buffer.from([0xfe])];
    const call = callOf(row, one, { headers: { 'content-type': 'application/octet-stream' } });
    expectProblem(await world.send({ ...call, body: two }), 'BODY_HASH_MISMATCH', 401);
    expectProblem(await world.send(call), 'INVALID_INPUT', 400);
  });

  test('that was changed or removed on the way makes the token invalid, because the signature covers it', async () => {
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

  test('is a mismatch if the call has a body and was signed without one', async () => {
    const call = callOf(routeOf('GET /me'), undefined);
    expectProblem(await world.send({ ...call, body: Buffer.from('{}') }), 'BODY_HASH_MISMATCH', 401);
  });

  test('in upper case is not accepted: v1 with such a header is a mismatch', async () => {
    const call = callOf(row, body, { signature: 'v1' });
    const headers = { ...call.headers, 'x-content-sha256': (call.headers['x-content-sha256'] ?? '').toUpperCase() };
    expectProblem(await world.send({ ...call, headers }), 'BODY_HASH_MISMATCH', 401);
  });
});

describe('sizes', () => {
  const row = routeOf('POST /login');
  const padded = (bytes: number): Buffer =>
    Buffer.concat([bytesOf(row.body), Buffer.alloc(bytes, ' ')]).subarray(0, bytes);

  test('64 KiB are accepted, one byte more is refused', async () => {
    expectProblem(await send(row, padded(64 * 1024)), 'BAD_CREDENTIALS', 401);
    expectProblem(await send(row, padded(64 * 1024 + 1)), 'TOO_LARGE', 413);
    const notice = { method: 'POST', target: '/recharge/notify/sandbox', headers: {}, body: Buffer.alloc(65_537, ' ') };
    expectProblem(await world.send(notice), 'TOO_LARGE', 413);
  });

  test('more than 10 MB, or 10 KB of headers, are refused by API Gateway itself', async () => {
    const huge = await send(row, Buffer.alloc(10 * 1024 * 1024 + 1, ' '));
    expect([huge.status, huge.text]).toEqual([413, '{"message":"Request Entity Too Large"}']);
    const call = callOf(row, bytesOf(row.body), { headers: { 'x-long': 'x'.repeat(11_000) } });
    expect((await world.send(call)).status).toBe(431);
  });
});

test('a call that is refused as bad input does not use its token up', async () => {
  const call = callOf(routeOf('PUT /me'), Buffer.from('[]'));
  expectProblem(await world.send(call), 'INVALID_INPUT', 400);
  const { bucket, field } = recordOf(call);
  expect(await world.stack.redis.hexists(bucket, field)).toBe(0);
});
