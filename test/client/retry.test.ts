import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, fetchTransport } from '../../client/miniapp-client.ts';
import { memoryStorage } from '../../client/storage.ts';
import type { KeyValueStorage } from '../../client/transport.ts';
import { app, problem, type ReceivedCall, type ScriptedAnswer, startServer } from '../support/client-server.ts';

const forbidden: ScriptedAnswer = { status: 403, body: { message: 'Forbidden' } };
const success: ScriptedAnswer = { status: 200, body: { ok: true } };
/** The server's clock stands still, so a device is off by exactly the seconds that a test gives. */
const NOW = Date.parse('2026-11-24T06:00:00Z');
const unavailable = { ...problem(503, 'UNAVAILABLE'), headers: { 'retry-after': '2' } };

let server: Awaited<ReturnType<typeof startServer>>;
let answer: (call: ReceivedCall, index: number) => ScriptedAnswer;
let waits: number[];
let storage: KeyValueStorage;
beforeEach(async () => {
  server = await startServer(
    (call, index) => answer(call, index),
    () => NOW,
  );
  waits = [];
  storage = memoryStorage();
});
afterEach(() => server.close());

function connect(clockErrorSeconds = 0) {
  return createClient({
    ...app,
    baseUrl: server.url,
    transport: fetchTransport(fetch),
    storage,
    now: () => NOW + clockErrorSeconds * 1000,
    wait: async (milliseconds) => {
      waits.push(milliseconds);
    },
  });
}
const inWindow = (call: ReceivedCall): boolean => Math.abs(Number(call.token.timeStamp) - NOW / 1000) <= 300;
const methods = ['GET', 'POST', 'PUT', 'DELETE'];

describe('a device with a wrong clock', () => {
  it.each([-86_400, -301, 301, 31_536_000])('%i s off takes the time from one refusal and keeps it', async (error) => {
    answer = (call) => (inWindow(call) ? success : forbidden);
    const client = connect(error);
    expect(await client.request('POST', '/login', { body: {} })).toEqual({ ok: true });
    await client.request('GET', '/me');
    expect(server.calls.map(inWindow)).toEqual([false, true, true]);
    expect(new Set(server.calls.map((call) => call.token.nonce)).size).toBe(3);
  });

  it.each([-300, -1, 0, 300])('%i s off is within the time window and sends nothing twice', async (error) => {
    answer = (call) => (inWindow(call) ? success : forbidden);
    await connect(error).request('GET', '/me');
    expect(server.calls).toHaveLength(1);
  });

  it('sends the call once more only, and reports a second refusal', async () => {
    answer = () => forbidden;
    await expect(connect(-3600).request('GET', '/me')).rejects.toMatchObject({ code: 'FORBIDDEN', status: 403 });
    expect(server.calls).toHaveLength(2);
  });

  it('sends nothing again when its clock is less than 60 s off', async () => {
    answer = () => forbidden;
    await expect(connect(30).request('GET', '/me')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(server.calls).toHaveLength(1);
  });

  it('does not send a call again after SCOPE_DENIED', async () => {
    answer = () => problem(403, 'SCOPE_DENIED');
    await expect(connect(-3600).request('GET', '/me')).rejects.toMatchObject({ code: 'SCOPE_DENIED' });
    expect(server.calls).toHaveLength(1);
  });
});

describe('after REPLAYED', () => {
  const firstReplayed = (_call: ReceivedCall, index: number): ScriptedAnswer =>
    index === 0 ? problem(401, 'REPLAYED') : success;

  it('a GET, a call with an idempotency key and a repeatable call are signed again and sent once more', async () => {
    const client = connect();
    for (const [method, options] of [
      ['GET', {}],
      ['POST', { idempotencyKey: 'k'.repeat(16) }],
      ['PUT', { repeatable: true }],
    ] as const) {
      server.calls.length = 0;
      answer = firstReplayed;
      expect(await client.request(method, '/x', options)).toEqual({ ok: true });
      expect(server.calls).toHaveLength(2);
      expect(server.calls[0]?.token.nonce).not.toBe(server.calls[1]?.token.nonce);
      expect(server.calls[0]?.headers['idempotency-key']).toBe(server.calls[1]?.headers['idempotency-key']);
    }
  });

  it('the second signature uses the time of the server', async () => {
    answer = firstReplayed;
    await connect(-20).request('GET', '/x');
    const [first, second] = server.calls.map((call) => Number(call.token.timeStamp));
    expect((second as number) - (first as number)).toBe(20);
  });

  it('any other call is not sent again, because the first may have had an effect', async () => {
    answer = firstReplayed;
    await expect(connect().request('POST', '/accounts', { body: {} })).rejects.toMatchObject({ code: 'REPLAYED' });
    expect(server.calls).toHaveLength(1);
  });

  it('a second REPLAYED is reported to the caller', async () => {
    answer = () => problem(401, 'REPLAYED');
    await expect(connect().request('GET', '/x')).rejects.toMatchObject({ code: 'REPLAYED' });
    expect(server.calls).toHaveLength(2);
  });
});

describe('after 503 with Retry-After', () => {
  it.each(methods)('%s is repeated after the wait only if it is a GET', async (method) => {
    answer = (_call, index) => (index === 0 ? unavailable : success);
    const outcome = await connect()
      .request(method, '/x')
      .catch((error: unknown) => error);
    if (method === 'GET') expect(outcome).toEqual({ ok: true });
    else expect(outcome).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 2 });
    expect(waits).toEqual(method === 'GET' ? [2000] : []);
    expect(server.calls).toHaveLength(method === 'GET' ? 2 : 1);
  });

  it('a GET is repeated once, but not without the header or for a long wait', async () => {
    const client = connect();
    for (const [headers, calls] of [
      [{ 'retry-after': '1' }, 2],
      [{}, 1],
      [{ 'retry-after': '3600' }, 1],
    ] as const) {
      server.calls.length = 0;
      answer = () => ({ ...unavailable, headers });
      await expect(client.request('GET', '/x')).rejects.toMatchObject({ status: 503 });
      expect(server.calls).toHaveLength(calls);
    }
  });
});

describe('the stored session', () => {
  const loginAs = async (token: string) => {
    answer = () => ({ status: 200, body: { token } });
    const client = connect();
    await client.login({ account: 'demo', password: 'demo-password-1' });
    return client;
  };

  it.each(['LOGIN_EXPIRED', 'SESSION_REVOKED', 'LOGIN_REQUIRED'])('is deleted after %s', async (code) => {
    const client = await loginAs('s1.u.one');
    answer = () => problem(401, code);
    await expect(client.me()).rejects.toMatchObject({ code });
    expect(await client.isLoggedIn()).toBe(false);
  });

  it.each([
    problem(401, 'BAD_CREDENTIALS'),
    problem(401, 'BODY_HASH_MISMATCH'),
    problem(503, 'UNAVAILABLE'),
    { status: 401, body: { message: 'Unauthorized' } },
    { status: 0, drop: true },
  ])('is kept after other failures: %o', async (refusal) => {
    const client = await loginAs('s1.u.one');
    answer = () => refusal;
    await expect(client.me()).rejects.toThrow();
    expect(await client.isLoggedIn()).toBe(true);
  });

  it('is kept after a late refusal of the previous session', async () => {
    const client = await loginAs('s1.u.old');
    answer = (call) => {
      if (call.url === '/me') storage.set(`miniapp:${app.appId}:session`, 's1.u.new');
      return problem(401, 'SESSION_REVOKED');
    };
    await expect(client.me()).rejects.toMatchObject({ code: 'SESSION_REVOKED' });
    expect(await client.isLoggedIn()).toBe(true);
  });

  it('is forgotten before the server hears of a logout, and the caller learns that it did not confirm', async () => {
    const client = await loginAs('s1.u.one');
    let wasLoggedIn: Promise<boolean> | null = null;
    answer = () => {
      wasLoggedIn = client.isLoggedIn();
      return problem(503, 'UNAVAILABLE');
    };
    await expect(client.logout()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await wasLoggedIn).toBe(false);
    expect(server.calls.at(-1)?.headers.authorization).toBe('Bearer s1.u.one');
  });

  it('has ended by a logout that the server answers with SESSION_REVOKED', async () => {
    const client = await loginAs('s1.u.one');
    answer = () => problem(401, 'SESSION_REVOKED');
    await client.logout();
    expect(await client.isLoggedIn()).toBe(false);
    await client.logout();
    expect(server.calls).toHaveLength(2);
  });
});

describe('five calls at once', () => {
  it.each([-86_400, 3600])('of a device that is %i s off all succeed', async (error) => {
    answer = (call) => (inWindow(call) ? success : forbidden);
    const client = connect(error);
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => client.request('GET', '/data/notice/1')));
    expect(answers).toEqual(Array(5).fill({ ok: true }));
    expect(server.calls.filter(inWindow)).toHaveLength(5);
  });
});
