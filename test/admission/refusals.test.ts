import { beforeAll, describe, expect, test } from 'vitest';
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
  recordOf,
  startRefusalWorld,
} from '../support/refusal-world.ts';

let world: RefusalWorld;
let session: string;
beforeAll(async () => {
  world = await startRefusalWorld();
  session = (await world.newUser()).session;
  // After these calls the authorizer has the records of all apps in memory.
  for (const defects of [[], ['scope'], ['locked'], ['scope', 'locked']] as Defect[][]) {
    await world.send(world.callWith(routeOf('GET /data/{resource}'), defects, session));
  }
});
const routeOf = (key: string): RouteRow => everyRoute.find(({ route }) => route === key) as RouteRow;

test('serverless.yml and the functions declare the same routes, with and without the authorizer', async () => {
  const functionNames = [...new Set(declaredRoutes.map(({ functionName }) => functionName))];
  const served = await Promise.all(functionNames.map(async (name) => [name, await routesOf(name)] as const));
  const known = served.flatMap(([name, routes]) => routes.map(({ route, demands }) => [name, route, Boolean(demands)]));
  const declared = declaredRoutes.map(({ key, functionName, authorizer }) => [functionName, key, Boolean(authorizer)]);
  expect(declared.sort()).toEqual(known.sort());
});

test('five routes have no authorizer: the health check, two for notifications and two for message pushes', () => {
  const open = everyRoute.filter(({ auth }) => auth === 'open').map(({ route }) => route);
  expect(open.sort()).toEqual([
    'GET /health',
    'GET /recharge/notify/{provider}',
    'GET /wechat/push/{wechatAppid}',
    'POST /recharge/notify/{provider}',
    'POST /wechat/push/{wechatAppid}',
  ]);
});

/** All pairs of defects that a call to the route can have at the same time. */
const pairsOf = (row: RouteRow): Array<[Defect, Defect]> => {
  const defects = defectsOf(row);
  const pairs = defects.flatMap((first, i) => defects.slice(i).map((second): [Defect, Defect] => [first, second]));
  // A call without a session cannot have an ended session.
  return pairs.filter(([first, second]) => !(first === 'login' && second === 'session'));
};
const positionOf = (defect: Defect): number => DEFECTS.findIndex(([name]) => name === defect);

describe.each(signedRoutes)('$route', (row) => {
  test('a call with two defects is refused for the one that is checked first', async () => {
    const answers: unknown[] = [];
    const expected: unknown[] = [];
    for (const [first, second] of pairsOf(row)) {
      const dead = mintSession(world.app.appId, newUserId()).token;
      const call = world.callWith(row, [first, second], second === 'session' || first === 'session' ? dead : session);
      if (second === 'replay' || first === 'replay') {
        const { bucket, field } = recordOf(call);
        await world.stack.redis.hset(bucket, field, 'another request1');
      }
      const { status, body } = await world.send(await withSessionOfItsApp(call, [first, second]));
      answers.push([first, second, status, String(body?.code).replace(/^UNKNOWN_.*/, 'UNKNOWN_')]);
      const [, code, expectedStatus] = DEFECTS[positionOf(first)] as (typeof DEFECTS)[number];
      expected.push([first, second, expectedStatus, code]);
    }
    expect(answers).toEqual(expected);
  });

  /** The call with a session at the app that signed it. Calls of a blocked app need this. */
  async function withSessionOfItsApp(call: ReturnType<RefusalWorld['callWith']>, defects: readonly Defect[]) {
    if (!defects.includes('locked') || !call.headers.authorization) return call;
    const token = Buffer.from(call.headers['access-token'] ?? '', 'base64').toString('utf8');
    const appId: string = JSON.parse(token).AppID;
    const known = defects.includes('session')
      ? mintSession(appId, newUserId()).token
      : (await world.newUser({ appId, privateKey: '' })).session;
    return { ...call, headers: { ...call.headers, authorization: `Bearer ${known}` } };
  }

  test('a refusal up to LOGIN_REQUIRED asks no engine and leaves the token unused', async () => {
    const early = defectsOf(row).filter((defect) => positionOf(defect) < FIRST_WITH_MEMORY);
    // For an unknown plugin an engine may be asked.
    const free = early.filter((defect) => defect !== 'resource' || !row.path.startsWith('/plugins'));
    await world.stack.resetCounters();
    for (const defect of free) {
      const call = world.callWith(row, [defect], session);
      const answer = await world.send(call);
      const [, code, status] = DEFECTS[positionOf(defect)] as (typeof DEFECTS)[number];
      if (defect === 'resource') expectProblem(answer, 'UNKNOWN_RESOURCE', status);
      else expectProblem(answer, code, status);
      const { bucket, field } = recordOf(call);
      expect(await world.stack.redis.hexists(bucket, field)).toBe(0);
    }
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

  test('API Gateway refuses a call without an access_token or with a forged one', async () => {
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
  /** True also when the path fits a route with parameters. */
  const isRoute = (method: string, path: string): boolean =>
    declaredRoutes.some((route) => {
      const pattern = route.segments.map((segment) => (segment.startsWith('{') ? '[^/]+' : segment)).join('/');
      return route.method === method && new RegExp(`^/${pattern}$`).test(path);
    });

  test('with another method or a trailing slash is 404', async () => {
    const wrong = everyRoute
      .flatMap(({ method, path }) => [[method, `${path}/`], ...methods.map((other) => [other, path])] as const)
      .filter(([method, path]) => !isRoute(method, path));
    for (const [method, path] of wrong) {
      const headers = signedHeaders(world.app, { method, path });
      const answer = await world.send({ method, target: path, headers });
      expect([method, path, answer.status, answer.text]).toEqual([method, path, 404, '{"message":"Not Found"}']);
    }
  });

  test.each(['/', '/nothing', '/login/', '/data', '/data/notice/1/2', '/admin', '//me'])('%s is 404', async (path) => {
    const answer = await world.send({ method: 'GET', target: path, headers: {} });
    expect([answer.status, answer.text]).toEqual([404, '{"message":"Not Found"}']);
  });
});

describe('a token that was refused early', () => {
  test('is accepted when the call is corrected', async () => {
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

  test('is accepted with the body that it was signed for', async () => {
    const row = routeOf('PUT /me');
    const call = world.callWith(row, [], session);
    expectProblem(await world.send({ ...call, body: bytesOf({ profile: {} }) }), 'BODY_HASH_MISMATCH', 401);
    expect((await world.send(call)).status).toBe(200);
  });
});

test('when no engine can give the app record, every signed route answers 503 before any other check', async () => {
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
