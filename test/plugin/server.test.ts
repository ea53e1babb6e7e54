import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  createPluginServer,
  isSignedPush,
  type PluginServerOptions,
  pushKey,
  type Validation,
} from '../../client/plugin-server.ts';
import { createMemoryStore, type TokenStore } from '../../client/token-store.ts';
import { event, NEXT_SECRET, newToken, SECRET, START, signed } from '../support/plugin-push.ts';

const STORED = { status: 200, body: '{"stored":true}' };

function harness(options: Partial<PluginServerOptions> = {}) {
  const clock = { ms: START };
  const writes: string[] = [];
  const memory = createMemoryStore({ now: () => clock.ms });
  const store: TokenStore = {
    get: (hash) => memory.get(hash),
    put(record) {
      writes.push(record.state);
      return memory.put(record);
    },
  };
  const server = createPluginServer({
    pluginId: 'weather',
    pushSecrets: [SECRET],
    store,
    now: () => clock.ms,
    ...options,
  });
  const push = (body: string, how: Parameters<typeof signed>[1] = {}) =>
    server.receivePush(signed(body, { atMs: clock.ms, ...how }), Buffer.from(body));
  return { ...server, push, clock, writes };
}

describe('a push', () => {
  it('is signed as in the published example of Standard Webhooks', () => {
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    };
    const keys = [pushKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')];
    expect(isSignedPush(headers, Buffer.from('{"test": 2432232314}'), keys, 1614265330_000)).toBe(true);
    expect(isSignedPush(headers, Buffer.from('{"test": 2432232315}'), keys, 1614265330_000)).toBe(false);
  });

  it('makes its token valid until the token’s end', async () => {
    const { push, authenticate, clock } = harness();
    const token = newToken();
    expect(await authenticate(token)).toBeNull();
    expect(await push(event('issued', token))).toEqual(STORED);
    expect(await authenticate(token)).toEqual({ userId: 'user-1', expiresAt: '2026-01-01T00:10:00.000Z' });
    clock.ms += 600_000;
    expect(await authenticate(token)).toBeNull();
  });

  it('is accepted under either secret during a rotation, in any order of the signatures', async () => {
    const rotating = harness({ pushSecrets: [SECRET, NEXT_SECRET] });
    const behind = harness();
    for (const secrets of [[SECRET], [NEXT_SECRET], [SECRET, NEXT_SECRET], [NEXT_SECRET, SECRET]]) {
      expect(await rotating.push(event('issued', newToken()), { secrets })).toEqual(STORED);
      if (secrets.includes(SECRET)) expect(await behind.push(event('issued', newToken()), { secrets })).toEqual(STORED);
    }
    expect((await behind.push(event('issued', newToken()), { secrets: [NEXT_SECRET] })).status).toBe(401);
  });

  it('is refused 301 seconds early or late and accepted at 300', async () => {
    const { push } = harness();
    const statusAt = async (seconds: number) =>
      (await push(event('issued', newToken()), { atMs: START + seconds * 1000 })).status;
    expect(await Promise.all([-301, -300, 300, 301].map(statusAt))).toEqual([401, 200, 200, 401]);
  });

  it('is refused with the same answer for every changed, missing or repeated part of its signature', async () => {
    const { receivePush, authenticate } = harness();
    const token = newToken();
    const body = event('issued', token);
    const good = signed(body, { id: 'msg.1' });
    const asymmetric = good['webhook-signature'].replace('v1,', 'v1a,');
    const altered: Record<string, string | string[] | undefined>[] = [
      {},
      { ...good, 'webhook-id': 'msg.2' },
      { ...good, 'webhook-id': undefined },
      { ...good, 'webhook-id': ['msg.1', 'msg.1'] },
      { ...good, 'Webhook-Id': 'msg.1' },
      { ...good, 'webhook-timestamp': `${good['webhook-timestamp']}.0` },
      { ...good, 'webhook-timestamp': String(Number(good['webhook-timestamp']) + 1) },
      { ...good, 'webhook-timestamp': 'NaN' },
      { ...good, 'webhook-signature': '' },
      { ...good, 'webhook-signature': asymmetric },
      { ...good, 'webhook-signature': good['webhook-signature'].slice(0, -1) },
      { ...good, 'webhook-signature': `${good['webhook-signature']} ${'v1,x '.repeat(300)}` },
    ];
    const answers = await Promise.all(altered.map((headers) => receivePush(headers, Buffer.from(body))));
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(
      new Set(['{"status":401,"body":"{\\"error\\":\\"bad_signature\\"}"}']),
    );
    expect((await receivePush(good, Buffer.from(`${body} `))).status).toBe(401);
    expect(await authenticate(token)).toBeNull();
    expect(await receivePush(new Headers(good), Buffer.from(body))).toEqual(STORED);
  });

  it('is signed over its bytes: two bodies that decode to the same text have different signatures', () => {
    const [one, other] = [Buffer.from([0xff]), Buffer.from([0xfe])];
    const headers = signed('\ufffd');
    const keys = [pushKey(SECRET)];
    expect(isSignedPush(headers, one, keys, START)).toBe(false);
    expect(isSignedPush(headers, other, keys, START)).toBe(false);
    expect(isSignedPush(headers, Buffer.from('\ufffd'), keys, START)).toBe(true);
  });

  it('that is not an event of the protocol gets 400 and stores nothing', async () => {
    const { push, writes } = harness();
    const token = newToken();
    const bodies = [
      'null',
      '[]',
      '{"type":"plugin_token.issued"}',
      '{"type":"plugin_token.issued","data":null}',
      event('issued', token).replace('issued', 'renewed'),
      event('issued', token, { hash: 'A'.repeat(64) }),
      event('issued', token, { expiresAt: '2026-01-01' }),
      event('issued', token, { expiresAt: '2026-13-01T00:00:00Z' }),
      event('issued', token, { expiresAt: '2036-01-01T00:00:00Z' }),
      event('issued', token, { version: '1' }),
      event('issued', token, { userId: 7 }),
      event('issued', token).slice(1),
    ];
    for (const body of bodies) expect((await push(body)).status, body).toBe(400);
    expect(writes).toEqual([]);
  });

  it('for another plugin, or longer than 16 KiB, is refused', async () => {
    const { push, writes } = harness();
    expect((await push(event('issued', newToken(), { pluginId: 'maps' }))).status).toBe(403);
    expect((await push(event('issued', newToken(), { note: 'x'.repeat(17_000) }))).status).toBe(413);
    expect(writes).toEqual([]);
  });

  it('that is sent again is confirmed again and stored once', async () => {
    const { push, writes } = harness();
    const body = event('issued', newToken());
    expect(await push(body, { id: 'msg_1' })).toEqual(STORED);
    expect(await push(body, { id: 'msg_1' })).toEqual(STORED);
    expect(writes).toEqual(['issued']);
  });

  it('that could not be stored is not confirmed, and is stored when it is sent again', async () => {
    const memory = createMemoryStore({ now: () => START });
    let broken = true;
    const put: TokenStore['put'] = async (record) => {
      if (broken) throw new Error('connect ECONNREFUSED 10.0.0.1');
      return memory.put(record);
    };
    const { push, authenticate } = harness({ store: { ...memory, put } });
    const token = newToken();
    expect(await push(event('issued', token), { id: 'msg_1' })).toEqual({
      status: 503,
      body: '{"error":"not_stored"}',
    });
    broken = false;
    expect(await push(event('issued', token), { id: 'msg_1' })).toEqual(STORED);
    expect(await authenticate(token)).not.toBeNull();
  });
});

describe('a revocation', () => {
  it('ends the token, also if it arrives before the issue, and no later push restores it', async () => {
    const { push, authenticate } = harness();
    const [pushedInOrder, overtaken] = [newToken(), newToken()];
    await push(event('issued', pushedInOrder));
    await push(event('revoked', pushedInOrder));
    await push(event('revoked', overtaken));
    await push(event('issued', overtaken));
    await push(event('issued', overtaken, { version: 9 }));
    expect(await authenticate(pushedInOrder)).toBeNull();
    expect(await authenticate(overtaken)).toBeNull();
  });

  it('with the id of an earlier push is not taken for a repeat of that push', async () => {
    const { push, authenticate } = harness();
    const token = newToken();
    await push(event('issued', token), { id: 'msg_1' });
    await push(event('revoked', token), { id: 'msg_1' });
    expect(await authenticate(token)).toBeNull();
  });

  it('concerns only its token', async () => {
    const { push, authenticate } = harness();
    const [dead, alive] = [newToken(), newToken()];
    for (const token of [dead, alive]) await push(event('issued', token));
    await push(event('revoked', dead));
    expect(await authenticate(alive)).not.toBeNull();
  });

  it('takes precedence over a validation in progress and over a remembered one', async () => {
    const [asked, remembered] = [newToken(), newToken()];
    let answer = (_: Validation) => {};
    const active = { active: true, userId: 'user-1', pluginId: 'weather', expiresAt: '2026-01-01T00:10:00Z' } as const;
    const validate = (token: string) =>
      token === asked ? new Promise<Validation>((resolve) => (answer = resolve)) : Promise.resolve(active);
    const { push, authenticate } = harness({ validate });
    expect(await authenticate(remembered)).not.toBeNull();
    await push(event('revoked', remembered));
    expect(await authenticate(remembered)).toBeNull();
    const underWay = authenticate(asked);
    await push(event('revoked', asked));
    answer(active);
    expect(await underWay).toBeNull();
  });
});

describe('a presented token', () => {
  it('of another kind or form is refused without a request to the backend', async () => {
    let asked = 0;
    const validate = async () => {
      asked += 1;
      return { active: false } as const;
    };
    const { authenticate } = harness({ validate });
    const secret = randomBytes(32).toString('base64url');
    const foreign = [
      undefined,
      '',
      `s1.user-1.${secret}`,
      `s1.user-1.session-1.${secret}`,
      `p1.user-1.${secret}`,
      `p1.user-1.session-1.${secret} `,
      `Bearer p1.user-1.session-1.${secret}`,
      `p1.user-1.session-1.${secret}.x`,
      `p1.user-1.session-1.${'x'.repeat(10_000)}`,
    ];
    for (const token of foreign) expect(await authenticate(token)).toBeNull();
    expect(asked).toBe(0);
  });

  it('whose record names another user is refused', async () => {
    const { push, authenticate } = harness();
    const token = newToken('user-2');
    await push(event('issued', token));
    expect(await authenticate(token)).toBeNull();
  });
});
