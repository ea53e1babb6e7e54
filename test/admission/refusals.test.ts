import { beforeAll, describe, expect, test } from 'vitest';
import { signatureKey } from '../../shared/admission/replay-record.ts';
import { mintSession, newUserId } from '../../shared/session/token.ts';
import { declaredRoutes, everyRoute, type RouteRow, routesOf, signedRoutes } from '../support/every-route.ts';
import { bytesOf, sendCall, signedHeaders } from '../support/http-call.ts';
import {
  DEFECTS,
  type Defect,
  defectsOf,
  expectProblem,
  FIRST_WITH_MEMORY,
  type RefusalWorld,
  signatureOf,
  startRefusalWorld,
} from '../support/refusal-world.ts';

let world: RefusalWorld;
let session: string;
beforeAll(async () => {
  world = await startRefusalWorld();
  session = (await world.newUser()).session;
  // Records of all apps are warm in the authorizer from here on.
  for (const defects of [[], ['scope'], ['locked'], ['scope', 'locked']] as Defect[][]) {
    await world.send(world.callWith(routeOf('GET /data/{resource}'), defects, session));
  }
});
const routeOf = (key: string): RouteRow => everyRoute.find(({ route }) => route === key) as RouteRow;

test('serverless.yml and the functions name the same routes, and the authorizer stands where it must', async () => {
  const functionNames = [...new Set(declaredRoutes.map(({ functionName }) => functionName))];
  const served = await Promise.all(functionNames.map(async (name) => [name, await routesOf(name)] as const));
  const known = served.flatMap(([name, routes]) => routes.map(({ route, demands }) => [name, route, Boolean(demands)]));
  const declared = declaredRoutes.map(({ key, functionName, authorizer }) => [functionName, key, Boolean(authorizer)]);
  expect(declared.sort()).toEqual(known.sort());
});

test('three routes stand open, each for callers who prove themselves otherwise or are told nothing', () => {
  const open = everyRoute.filter(({ auth }) => auth === 'open').map(({ route }) => route);
  expect(open.sort()).toEqual(['GET /health', 'GET /recharge/notify/{provider}', 'POST /recharge/notify/{provider}']);
});

/** Of a call that is wrong in two ways, both of one list. */
const pairsOf = (row: RouteRow): Array<[Defect, Defect]> => {
  const defects = defectsOf(row);
  const pairs = defects.flatMap((first, i) => defects.slice(i).map((second): [Defect, Defect] => [first, second]));
  // Without a session there is none that could have ended.
  return pairs.filter(([first, second]) => !(first === 'login' && second === 'session'));
};
const place = (defect: Defect): number => DEFECTS.findIndex(([name]) => name === defect);

describe.each(signedRoutes)('$route', (row) => {
  test('of two things that are wrong the earlier one is told', async () => {
    const told: unknown[] = [];
    const expected: unknown[] = [];
    for (const [first, second] of pairsOf(row)) {
      const dead = mintSession(world.app.appId, newUserId()).token;
      const call = world.callWith(row, [first, second], second === 'session' || first === 'session' ? dead : session);
      if (second === 'replay' || first === 'replay') {
        await world.stack.redis.set(signatureKey(signatureOf(call)), 'another request;1', 'EX', 600);
      }
      const { status, body } = await world.send(await forItsApp(call, [first, second]));
      told.push([first, second, status, String(body?.code).replace(/^UNKNOWN_.*/, 'UNKNOWN_')]);
      const [, code, expectedStatus] = DEFECTS[place(first)] as (typeof DEFECTS)[number];
      expected.push([first, second, expectedStatus, code]);
    }
    expect(told).toEqual(expected);
  });

  /** A blocked app's call needs a session at that app. */
  async function forItsApp(call: ReturnType<RefusalWorld['callWith']>, defects: readonly Defect[]) {
    if (!defects.includes('locked') || !call.headers.authorization) return call;
    const token = Buffer.from(call.headers['access-token'] ?? '', 'base64').toString('utf8');
    const appId: string = JSON.parse(token).AppID;
    const known = defects.includes('session')
      ? mintSession(appId, newUserId()).token
      : (await world.newUser({ appId, privateKey: '' })).session;
    return { ...call, headers: { ...call.headers, authorization: `Bearer ${known}` } };
  }

  test('up to LOGIN_REQUIRED no engine is asked and the token stays unused', async () => {
    const early = defectsOf(row).filter((defect) => place(defect) < FIRST_WITH_MEMORY);
    // An unknown plugin may be looked up.
    const free = early.filter((defect) => defect !== 'resource' || !row.path.startsWith('/plugins'));
    await world.stack.resetCounters();
    for (const defect of free) {
      const call = world.callWith(row, [defect], session);
      const answer = await world.send(call);
      const [, code, status] = DEFECTS[place(defect)] as (typeof DEFECTS)[number];
      if (defect === 'resource') expectProblem(answer, 'UNKNOWN_RESOURCE', status);
      else expectProblem(answer, code, status);
      expect(await world.stack.redis.exists(signatureKey(signatureOf(call)))).toBe(0);
    }
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

  test('without an access-token, or with a forged one, API Gateway answers', async () => {
    const { headers, ...call } = world.callWith(row, [], session);
    const { 'access-token': token = '', ...others } = headers;
    const without = await world.send({ ...call, headers: others });
    expect([without.status, without.text]).toEqual([401, '{"message":"Unauthorized"}']);
    const members = JSON.parse(Buffer.from(token, 'base64').toString('utf8'));
    const forged = Buffer.from(JSON.stringify({ ...members, signature: '0'.repeat(64) })).toString('base64');
    const answer = await world.send({ ...call, headers: { ...others, 'access-token': forged } });
    expect([answer.status, answer.text]).toEqual([403, '{"message":"Forbidden"}']);
  });
});

describe('a path', () => {
  const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'];
  /** Also where another route has a name for a parameter. */
  const isRoute = (method: string, path: string): boolean =>
    declaredRoutes.some((route) => {
      const pattern = route.segments.map((segment) => (segment.startsWith('{') ? '[^/]+' : segment)).join('/');
      return route.method === method && new RegExp(`^/${pattern}$`).test(path);
    });

  test('has no other methods than its own, and ends without a slash', async () => {
    const wrong = everyRoute
      .flatMap(({ method, path }) => [[method, `${path}/`], ...methods.map((other) => [other, path])] as const)
      .filter(([method, path]) => !isRoute(method, path));
    for (const [method, path] of wrong) {
      const headers = signedHeaders(world.app, { method, path });
      const answer = await world.send({ method, target: path, headers });
      expect([method, path, answer.status, answer.text]).toEqual([method, path, 404, '{"message":"Not Found"}']);
    }
  });

  test.each(['/', '/nothing', '/login/', '/data', '/data/notice/1/2', '/admin', '//me'])(
    '%s is not one',
    async (path) => {
      const answer = await world.send({ method: 'GET', target: path, headers: {} });
      expect([answer.status, answer.text]).toEqual([404, '{"message":"Not Found"}']);
    },
  );
});

describe('a token that was refused early', () => {
  test('passes when the call is right', async () => {
    const row = routeOf('GET /me');
    const call = world.callWith(row, ['login'], session);
    expectProblem(await world.send(call), 'LOGIN_REQUIRED', 401);
    const again = await world.send({ ...call, headers: { ...call.headers, authorization: `Bearer ${session}` } });
    expect(again.status).toBe(200);
    expectProblem(
      await world.send({ ...call, headers: { ...call.headers, authorization: `Bearer ${session}` } }),
      'REPLAYED',
      401,
    );
  });

  test('passes with the body that it was made for', async () => {
    const row = routeOf('PUT /me');
    const call = world.callWith(row, [], session);
    expectProblem(await world.send({ ...call, body: bytesOf({ profile: {} }) }), 'BODY_HASH_MISMATCH', 401);
    expect((await world.send(call)).status).toBe(200);
  });
});

test('with no engine to tell what an app may do, every route says 503 before anything else', async () => {
  const { stack } = world;
  for (const row of signedRoutes) {
    const unknown = await stack.createApp({ scopes: [] });
    stack.faults.redis = () => ({ kind: 'drop-before' });
    stack.faults.mysql = () => ({ kind: 'drop-before' });
    const headers = signedHeaders(unknown, { method: row.method, path: row.path, body: '{"not":"it"' });
    const answer = await sendCall(stack.url, {
      method: row.method,
      target: row.path,
      headers,
      body: Buffer.from('{"not":"it"'),
    });
    stack.faults.redis = undefined;
    stack.faults.mysql = undefined;
    expectProblem(answer, 'UNAVAILABLE', 503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  }
});
