import { afterEach, describe, expect, it } from 'vitest';
import { ApiError, createClient, fetchTransport, wxTransport } from '../../client/miniapp-client.ts';
import { app, problem, type ReceivedCall, type ScriptedAnswer, startServer } from '../support/client-server.ts';
import { type WxStandIn, wxStandIn } from '../support/client-wx.ts';

type Server = Awaited<ReturnType<typeof startServer>>;
let server: Server;
afterEach(() => server.close());

const login = { token: 's1.user-1.secret', expiresAt: '2030-01-01T00:00:00Z', user: { userId: 'user-1' } };
function answerByRoute(routes: Record<string, ScriptedAnswer>) {
  return (call: ReceivedCall): ScriptedAnswer =>
    routes[`${call.method} ${call.url}`] ?? { status: 404, body: { message: 'Not Found' } };
}
async function serve(answer: Parameters<typeof startServer>[0]): Promise<Server> {
  server = await startServer(answer);
  return server;
}
const overFetch = () => createClient({ ...app, baseUrl: server.url, transport: fetchTransport(fetch) });
const overWx = (wx: WxStandIn = wxStandIn()) =>
  createClient({ ...app, baseUrl: server.url, transport: wxTransport(wx) });
const transports = [
  ['fetch', overFetch],
  ['wx.request', overWx],
] as const;

describe.each(transports)('over %s', (_, connect) => {
  it('signs every call over the bytes that arrive, and sends the hash of a body', async () => {
    await serve(() => ({ status: 200, body: { ok: true } }));
    const client = connect();
    await client.request('GET', '/data/notice', { query: { ids: '1,2', q: 'a b+c', r: ['é', 'z'], none: undefined } });
    await client.request('put', '/me', { body: { profile: { 名: "it's (值)!*" } } });
    await client.request('POST', "/recharge/订单 1/it's", { query: { 'a&=': '%&=+' } });
    await client.request('DELETE', '/sessions/1');
    expect(server.calls.map((call) => [call.method, call.verified])).toEqual([
      ['GET', true],
      ['PUT', true],
      ['POST', true],
      ['DELETE', true],
    ]);
    expect(server.calls[1]?.body).toBe(`{"profile":{"名":"it's (值)!*"}}`);
    expect(server.calls.map((call) => call.headers['x-content-sha256'] !== undefined)).toEqual([
      false,
      true,
      false,
      false,
    ]);
    expect(new Set(server.calls.map((call) => call.token.nonce)).size).toBe(4);
  });

  it('stores the session token of a login, sends it to user routes only, and deletes it at logout', async () => {
    await serve(
      answerByRoute({
        'POST /login': { status: 200, body: login },
        'GET /me': { status: 200, body: login.user },
        'POST /logout': { status: 204 },
      }),
    );
    const client = connect();
    expect((await client.login({ account: 'demo', password: 'demo-password-1' })).user.userId).toBe('user-1');
    await client.me();
    await client.login({ account: 'demo', password: 'demo-password-1' });
    await client.logout();
    expect(await client.isLoggedIn()).toBe(false);
    expect(server.calls.map((call) => call.headers.authorization)).toEqual([
      undefined,
      'Bearer s1.user-1.secret',
      undefined,
      'Bearer s1.user-1.secret',
    ]);
  });

  it('turns problem+json into an ApiError with code, request id, retry time and members', async () => {
    const errors = [{ path: 'account', message: 'too short' }];
    const refusal = problem(429, 'LOCKED', { errors, retryable: true });
    await serve(() => ({ ...refusal, headers: { ...refusal.headers, 'Retry-After': '7' } }));
    const failure = await connect()
      .login({ account: 'a', password: 'b' })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApiError);
    expect(failure).toMatchObject({
      status: 429,
      code: 'LOCKED',
      detail: 'because LOCKED',
      requestId: 'r-1',
      retryAfterSeconds: 7,
      retryable: true,
      errors,
    });
  });

  it('gives answers of the gateway, of a proxy and of a lost connection a code', async () => {
    const answers: ScriptedAnswer[] = [
      { status: 404, body: { message: 'Not Found' } },
      { status: 429, body: { message: 'Too Many Requests' } },
      { status: 502, body: '<html>bad gateway</html>', headers: { 'content-type': 'text/html' } },
      { status: 200, body: '<html>log in to the WLAN</html>', headers: { 'content-type': 'text/html' } },
      { status: 0, drop: true },
    ];
    await serve((_call, index) => answers[index] as ScriptedAnswer);
    const client = connect();
    const codes: string[] = [];
    for (const _ of answers)
      await client.request('POST', '/x').catch((error: ApiError) => codes.push(`${error.status} ${error.code}`));
    expect(codes).toEqual([
      '404 UNKNOWN_ROUTE',
      '429 TOO_MANY_REQUESTS',
      '502 HTTP_502',
      '200 BAD_ANSWER',
      '0 NETWORK',
    ]);
  });

  it('reads one or many records: an absent one is null, an unknown resource is an error', async () => {
    await serve(
      answerByRoute({
        'GET /data/notice/1': { status: 200, body: { id: '1' } },
        'GET /data/notice/2': problem(404, 'NOT_FOUND'),
        'GET /data/nothing/2': problem(404, 'UNKNOWN_RESOURCE'),
        'GET /data/notice?ids=1%2C2': { status: 200, body: { items: { 1: { id: '1' }, 2: null } } },
      }),
    );
    const client = connect();
    expect(await client.readOne('notice', 1)).toEqual({ id: '1' });
    expect(await client.readOne('notice', 2)).toBeNull();
    expect(await client.readMany('notice', [1, 2])).toEqual({ 1: { id: '1' }, 2: null });
    await expect(client.readOne('nothing', 2)).rejects.toMatchObject({ code: 'UNKNOWN_RESOURCE' });
  });
});

describe('over wx.request', () => {
  it('reads answers whose data is already parsed', async () => {
    await serve(() => ({ status: 200, body: { balance: 5, asset: 'coins' } }));
    const wx = wxStandIn();
    wx.parsesAlways = true;
    expect(await overWx(wx).balance()).toEqual({ balance: 5, asset: 'coins' });
  });

  it('the user is still logged in after a restart of the mini-program', async () => {
    await serve(() => ({ status: 200, body: login }));
    const wx = wxStandIn();
    await overWx(wx).login({ account: 'demo', password: 'demo-password-1' });
    await overWx(wx).me();
    expect(server.calls[1]?.headers.authorization).toBe('Bearer s1.user-1.secret');
  });
});

describe('a path with an id in it', () => {
  it('cannot reach another route', async () => {
    await serve(() => ({ status: 200, body: {} }));
    const client = overFetch();
    for (const id of ['', '../me', 'a/b', '..', 'a?x=1', 'a%2Fb'])
      await expect((async () => client.readOne('notice', id))()).rejects.toThrow(TypeError);
    expect(server.calls).toHaveLength(0);
  });
});
