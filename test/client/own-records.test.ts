import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, fetchTransport, wxLogin, wxTransport } from '../../client/miniapp-client.ts';
import { app, problem, type ScriptedAnswer, startServer } from '../support/client-server.ts';
import { type WxStandIn, wxStandIn } from '../support/client-wx.ts';
import { APP_ID, type ServedCall, type SessionServer, startSessionServer } from '../support/session-server.ts';

let server: SessionServer;
let wx: WxStandIn;
/** The records by their key. */
let records: Map<string, object>;
beforeEach(async () => {
  server = await startSessionServer();
  wx = wxStandIn();
  records = new Map();
  server.instead = served;
});
afterEach(() => server.close());

const start = () =>
  createClient({
    ...{ baseUrl: server.url, appId: APP_ID, transport: wxTransport(wx), silentCode: wxLogin(wx) },
    now: () => server.now,
  });
const booking = { serviceId: '7', day: '2030-05-01' };
const problemOnce = (answer: ScriptedAnswer) => {
  let left = 1;
  server.instead = (call) => (/booking/.test(call.route) && left-- > 0 ? answer : served(call));
};
/** The call takes effect, and its answer does not arrive. */
const loseOneAnswer = () => {
  let left = 1;
  server.instead = (call) => {
    const answer = served(call);
    return answer && /^POST .*booking/.test(call.route) && left-- > 0 ? { status: 0, drop: true } : answer;
  };
};

/** One record for each key, as the service makes them. */
function served({ route, headers, body, session }: ServedCall): ScriptedAnswer | undefined {
  if (!route.includes('/data/booking') || !server.alive.has(session)) return undefined;
  if (route === 'POST /data/booking') {
    const key = String(headers['idempotency-key']);
    const record = records.get(key) ?? { id: String(records.size + 1), ...body, version: 1 };
    records.set(key, record);
    return { status: 201, body: record };
  }
  if (route.startsWith('GET')) return { status: 200, body: { id: route.split('/').at(-1) } };
  return route.startsWith('DELETE')
    ? { status: 204 }
    : { status: 200, body: { ...body, version: Number(String(headers['if-match']).slice(1, -1)) + 1 } };
}
const sent = (route: string) => server.calls.filter((call) => call.route === route);
const keys = () => sent('POST /data/booking').map(({ headers }) => headers['idempotency-key']);

describe('create', () => {
  it('sends the members under a key of its own, a new one for each record', async () => {
    const client = start();
    const made = await client.create<typeof booking>('booking', booking);
    expect(made).toEqual({ id: '1', ...booking, version: 1 });
    expect((await client.create('booking', booking)).id).toBe('2');
    expect(sent('POST /data/booking')[0]?.body).toEqual(booking);
    expect(new Set(keys()).size).toBe(2);
    expect(keys()[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  it.each([
    ['REPLAYED', problem(401, 'REPLAYED')],
    ['the end of the session', problem(401, 'SESSION_REVOKED')],
  ])('is repeated by the client after %s, under the same key', async (_, refusal) => {
    const client = start();
    await client.me();
    problemOnce(refusal);
    await client.create('booking', booking);
    expect([keys().length, new Set(keys()).size, records.size]).toEqual([2, 1, 1]);
  });

  it.each([
    ['in the same run', (client: ReturnType<typeof start>) => client],
    ['after a restart', () => start()],
  ])('whose answer was lost makes no second record when it is called again %s', async (_, again) => {
    const client = start();
    loseOneAnswer();
    await expect(client.create('booking', booking)).rejects.toMatchObject({ code: 'NETWORK', retryable: true });
    expect((await again(client).create('booking', booking)).id).toBe('1');
    expect([new Set(keys()).size, records.size]).toEqual([1, 1]);
    expect((await client.create('booking', booking)).id).toBe('2');
  });

  it('whose answer was lost makes a new record if the first one was deleted since', async () => {
    const client = start();
    loseOneAnswer();
    await expect(client.create('booking', booking)).rejects.toMatchObject({ code: 'NETWORK' });
    server.instead = (call) => (call.route === 'GET /data/booking/1' ? problem(404, 'NOT_FOUND') : served(call));
    expect((await client.create('booking', booking)).id).toBe('2');
    expect(records.size).toBe(2);
  });

  it('of two taps at once makes one record, of other members another one', async () => {
    const client = start();
    const other = { ...booking, day: '2030-05-02' };
    const made = await Promise.all([booking, booking, other].map((members) => client.create('booking', members)));
    expect(made.map(({ id }) => id).sort()).toEqual(['1', '1', '2']);
  });

  it('uses the key of the caller, and does not store it', async () => {
    await start().create('booking', booking, { idempotencyKey: 'k'.repeat(16) });
    expect(keys()).toEqual(['k'.repeat(16)]);
    expect([...wx.stored.values()]).not.toContain('k'.repeat(16));
  });

  it.each([
    [409, 'QUOTA_REACHED', true],
    [400, 'INVALID_INPUT', true],
    [422, 'IDEMPOTENCY_KEY_REUSED', true],
    [503, 'UNAVAILABLE', false],
    [500, 'INTERNAL', false],
  ])(
    'refused by %i %s reaches the caller with its code; the next try has a new key: %s',
    async (status, code, isNew) => {
      const client = start();
      problemOnce(problem(status, code));
      await expect(client.create('booking', booking)).rejects.toMatchObject({ name: 'ApiError', status, code });
      await client.create('booking', booking);
      expect(new Set(keys()).size).toBe(isNew ? 2 : 1);
    },
  );

  it('is not made for another user who logs in while a resumed one is looked up', async () => {
    const client = start();
    loseOneAnswer();
    await expect(client.create('booking', booking)).rejects.toMatchObject({ code: 'NETWORK' });
    let login: Promise<unknown> | undefined;
    server.instead = (call) => {
      if (call.route === 'POST /data/booking') login ??= client.login({ account: 'anna', password: 'right' });
      return call.route === 'GET /data/booking/1' ? problem(404, 'NOT_FOUND') : served(call);
    };
    await client.create('booking', booking).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'USER_CHANGED' });
    });
    await login;
    expect(records.size).toBe(1);
    expect(new Set(keys()).size).toBe(1);
  });

  it('is not sent as another user than the one who called it', async () => {
    const client = start();
    loseOneAnswer();
    await expect(client.create('booking', booking)).rejects.toMatchObject({ code: 'NETWORK' });
    await client.login({ account: 'anna', password: 'right' });
    expect((await client.create('booking', booking)).id).toBe('2');
    expect(new Set(keys()).size).toBe(2);
  });
});

describe('update and remove', () => {
  it('name the version, and answer the record or nothing', async () => {
    const client = start();
    expect(await client.update<typeof booking>('booking', '5', 3, booking)).toEqual({ ...booking, version: 4 });
    expect(await client.remove('booking', 5, { version: 4 })).toBeUndefined();
    await client.remove('booking', '5');
    const versions = server.calls.slice(1).map(({ route, headers, query }) => [route, headers['if-match'], query]);
    expect(versions).toEqual([
      ['PUT /data/booking/5', '"3"', ''],
      ['DELETE /data/booking/5', '"4"', ''],
      ['DELETE /data/booking/5', undefined, ''],
    ]);
  });

  it.each([
    [404, 'NOT_FOUND'],
    [412, 'VERSION_MISMATCH'],
    [428, 'MISSING_VERSION'],
  ])('refused by %i %s reach the caller with its code, and are not repeated', async (status, code) => {
    const client = start();
    server.instead = ({ route }) => (route.includes('booking') ? problem(status, code) : undefined);
    await expect(client.update('booking', '5', 3, booking)).rejects.toMatchObject({ name: 'ApiError', status, code });
    await expect(client.remove('booking', '5')).rejects.toMatchObject({ name: 'ApiError', status, code });
    expect(server.calls.filter(({ route }) => route.includes('booking'))).toHaveLength(2);
  });

  it('are repeated after REPLAYED and under a new session, with the same version', async () => {
    const client = start();
    await client.me();
    for (const refusal of [problem(401, 'REPLAYED'), problem(401, 'SESSION_REVOKED')]) {
      problemOnce(refusal);
      expect((await client.update('booking', '5', 3, booking)).version).toBe(4);
      problemOnce(refusal);
      await client.remove('booking', '5', { version: 4 });
    }
    const [changes, deletions] = [sent('PUT /data/booking/5'), sent('DELETE /data/booking/5')];
    expect([changes.length, deletions.length]).toEqual([4, 4]);
    expect(new Set(changes.map(({ headers }) => headers['if-match']))).toEqual(new Set(['"3"']));
  });

  it('throw before anything is sent when an id is no part of a path', async () => {
    const client = start();
    expect(() => client.remove('booking', '')).toThrow(TypeError);
    expect(() => client.update('booking', '../users', 1, booking)).toThrow(TypeError);
    expect(server.calls).toEqual([]);
  });
});

it('a server app writes for the user that it names, without a session and with a v2 signature', async () => {
  const record = { id: '1', version: 1 };
  const plain = await startServer(({ method }) => ({ status: method === 'DELETE' ? 204 : 200, body: record }));
  const client = createClient({ ...app, baseUrl: plain.url, transport: fetchTransport(fetch) });
  await client.create('booking', { ...booking, userId: 'u1' });
  await client.update('booking', '1', 1, { status: 'confirmed' }, { user: 'u1' });
  await client.remove('booking', '1', { user: 'u1', version: 2 });
  const calls = plain.calls.map(({ method, url, headers, verified }) => [method, url, headers['if-match'], verified]);
  expect(calls).toEqual([
    ['POST', '/data/booking', undefined, true],
    ['PUT', '/data/booking/1?user=u1', '"1"', true],
    ['DELETE', '/data/booking/1?user=u1', '"2"', true],
  ]);
  expect(plain.calls.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined, undefined]);
  expect(plain.calls[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f]{32}$/);
  await plain.close();
});
