import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { handler as authorizer } from '../../functions/authorizer.ts';
import { handler as business } from '../../functions/business.ts';
import { handler as health } from '../../functions/health.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { startTestStack, type TestAnswer, type TestApp, type TestStack } from '../support/stack.ts';

/** The id of an answer finds the lines of the call, and each line names the caller and the route. */
type Line = Record<string, unknown>;

let stack: TestStack;
let app: TestApp;
let lines: Line[] = [];
beforeAll(async () => {
  const spy = vi.spyOn(console, 'log').mockImplementation((text) => void lines.push(JSON.parse(String(text))));
  atEndOfFile(() => spy.mockRestore());
  stack = await startTestStack({ seeded: true, env: { LOG: 'on' } });
  app = await stack.createApp();
});
beforeEach(() => {
  lines = [];
});

const idOf = ({ headers }: TestAnswer): string => headers.get('x-request-id') ?? '';
/** The lines of one call, by step: `level` for a line that is not the one of an invocation. */
const linesOf = (id: string): Array<[unknown, Line]> =>
  lines.filter(({ requestId }) => requestId === id).map((line) => [line.step ?? line.level, line]);
const stepsOf = (id: string) => linesOf(id).map(([step]) => step);
const login = (account: string, password: string) => stack.call(app, 'POST', '/login', { body: { account, password } });

describe('the id of the answer is the id in every line of the call and in the gateway', () => {
  test('for a call that succeeds, and for one that the function refuses', async () => {
    for (const answer of [await stack.call(app, 'GET', '/data/notice/1'), await login('demo', 'wrong-wrong')]) {
      expect(idOf(answer)).toMatch(/^[\w-]{15}=$/);
      expect(idOf(answer)).toBe(answer.headers.get('apigw-requestid'));
      expect(stepsOf(idOf(answer))).toEqual(['authorizer', 'function']);
      if (answer.status >= 400) expect(answer.body.requestId).toBe(idOf(answer));
    }
  });

  test('for a token that the authorizer refuses', async () => {
    const answer = await stack.call({ ...app, privateKey: 'another' }, 'GET', '/data/notice/1');
    expect(answer.status).toBe(403);
    expect(linesOf(answer.headers.get('apigw-requestid') ?? '')).toEqual([
      ['authorizer', expect.objectContaining({ status: 403, code: 'signature', app: app.appId, proof: 'none' })],
    ]);
  });

  test('for an error that nobody expected, whose second line has the place', async () => {
    stack.faults.mysql = () => ({ kind: 'status', status: 200, body: 'not an answer' });
    const answer = await stack.call(app, 'GET', '/data/notice/7');
    stack.faults.mysql = undefined;
    expect(answer.status).toBe(503);
    expect(stepsOf(idOf(answer))).toEqual(['authorizer', 'function']);
    const failed = await call(business, eventWith('JKJaXmPLvHcESHA='));
    expect([failed.statusCode, failed.headers['x-request-id']]).toEqual([500, 'JKJaXmPLvHcESHA=']);
    expect(stepsOf('JKJaXmPLvHcESHA=')).toEqual(['error', 'function']);
  });

  test('for a notification, and for an alarm that it caused', async () => {
    const forged = await stack.send('POST', '/recharge/notify/sandbox', { 'sandbox-signature': 'x' }, '{}');
    expect(forged.status).toBe(401);
    expect(stepsOf(idOf(forged))).toEqual(['function']);
    stack.wechat.failNext(40125);
    const refused = await stack.call(app, 'POST', '/login/wechat', { body: { code: stack.wechat.issueCode() } });
    expect(linesOf(idOf(refused))).toContainEqual([
      'alarm',
      expect.objectContaining({ code: 'wechat.refused', app: app.appId, route: 'POST /login/wechat' }),
    ]);
  });

  test('also for health, which has no authorizer', async () => {
    expect(stepsOf(idOf(await stack.send('GET', '/health', {})))).toEqual(['function']);
  });
});

describe('a line names the caller and the route', () => {
  test('app, route and proof by signature v1 or v2', async () => {
    for (const signature of ['v1', 'v2'] as const) {
      const answer = await stack.call(app, 'GET', '/data/notice/1', { signature });
      const route = 'GET /data/{resource}/{id}';
      for (const [, line] of linesOf(idOf(answer))) {
        expect(line).toMatchObject({ app: app.appId, route, proof: signature });
      }
    }
  });

  test('the public id of the user, once a session is sent', async () => {
    const { body } = await login('demo', 'demo-password-1');
    const answer = await stack.call(app, 'GET', '/me', { session: body.token });
    expect(linesOf(idOf(answer)).map(([step, { userId }]) => [step, userId])).toEqual([
      ['authorizer', undefined],
      ['function', body.user.userId],
    ]);
  });

  test('the address as a keyed hash, the same for all addresses of an IPv6 network', async () => {
    const hashOf = async (sourceIp: string, id: string) => {
      await call(authorizer, authorizerEvent(id, sourceIp));
      return linesOf(id)[0]?.[1].address;
    };
    const hash = await hashOf('2001:db8:1:2::5', 'a');
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(await hashOf('2001:db8:1:2:ffff::6', 'b')).toBe(hash);
    expect(await hashOf('2001:db8:1:3::5', 'c')).not.toBe(hash);
    expect(await hashOf('192.0.2.7', 'd')).not.toBe(hash);
    expect(JSON.stringify(lines)).not.toMatch(/192\.0\.2\.7|2001:db8/);
  });

  test('a run of a schedule with its name', async () => {
    await stack.api.runSchedule('cache-warm');
    expect(lines).toContainEqual(expect.objectContaining({ step: 'schedule', route: 'cache-warm', status: 200 }));
  });
});

describe('the id is no proof', () => {
  test('two invocations with one id are two calls: a replay is refused', async () => {
    const headers = stack.sign(app, 'GET', '/data/notice/1');
    const asked = { ...authorizerEvent('same', '192.0.2.8'), headers, identitySource: [headers['access-token']] };
    const { context: proven } = await call(authorizer, asked);
    const event = eventWith('same', { authorizer: { lambda: proven } });
    const first = await call(business, event);
    const second = await call(business, event);
    expect([first.statusCode, second.statusCode, JSON.parse(second.body).code]).toEqual([200, 401, 'REPLAYED']);
  });

  test.each(['', 'a"b', "x'; redis.call('FLUSHALL')", 'line\nbreak', 'é'.repeat(20), 'x'.repeat(65)])(
    'an id of another form (%j) is replaced',
    async (id) => {
      const answer = await call(health, { ...eventWith(id), routeKey: 'GET /health' });
      expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      expect(stepsOf(answer.headers['x-request-id'])).toEqual(['function']);
    },
  );

  test('a caller cannot choose it', async () => {
    const answer = await stack.call(app, 'GET', '/data/notice/1', { headers: { 'x-request-id': 'chosen' } });
    expect(idOf(answer)).toMatch(/^[\w-]{15}=$/);
    expect(JSON.stringify(lines)).not.toContain('chosen');
  });
});

/** Invokes a function directly, with an event that the emulator would not make. */
// biome-ignore lint/suspicious/noExplicitAny: the test says what it expects of the answer
function call(handler: (event: never, context: never) => Promise<unknown>, event: object): Promise<any> {
  const context = { awsRequestId: 'of-lambda', getRemainingTimeInMillis: () => 5_000 };
  return handler(event as never, context as never);
}

function eventWith(requestId: string, more: object = {}) {
  return {
    routeKey: 'GET /data/{resource}/{id}',
    rawPath: '/data/notice/1',
    rawQueryString: '',
    headers: {},
    isBase64Encoded: false,
    pathParameters: { resource: 'notice', id: '1' },
    requestContext: { requestId, http: { method: 'GET', path: '/data/notice/1', sourceIp: '192.0.2.8' }, ...more },
  };
}

function authorizerEvent(requestId: string, sourceIp: string) {
  const event = eventWith(requestId);
  const http = { ...event.requestContext.http, sourceIp };
  return { ...event, requestContext: { ...event.requestContext, http }, identitySource: ['no token'] };
}
