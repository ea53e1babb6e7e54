import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { dumpMysql, dumpRedis } from '../support/engine-dump.ts';
import { expectedSessionKey } from '../support/expected-signature.ts';
import { publicHeaders, type SignedSession, sessionToken } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

/** What an attacker has: each test takes a part of it and tries to call as the user. */
interface Loot {
  /** Everything that the functions logged. */
  logs: string;
  /** What the client sent after the login, as a proxy that logs headers would see it. */
  sent: Array<{ method: string; path: string; headers: Record<string, string>; body: string | undefined }>;
  /** Every answer after the login. */
  answers: string;
  dumps: string;
}

let stack: TestStack;
let world: PublicWorld;
let session: SignedSession;
let userId: string;
let sid: string;
let loot: Loot;
const logs: string[] = [];

beforeAll(async () => {
  stack = await startTestStack({ seeded: true, env: { LOG: 'on' }, log: (line) => logs.push(line) });
  vi.spyOn(console, 'log').mockImplementation((...said) => void logs.push(said.map(String).join(' ')));
  world = await publicWorld(stack);
  session = await world.logIn();
  [userId = '', sid = ''] = session.session.split('.');
  const sent: Loot['sent'] = [];
  const answers: string[] = [];
  const call = async (method: string, path: string, value?: object, headers: Record<string, string> = {}) => {
    const body = value && JSON.stringify(value);
    const signed = publicHeaders(world.appId, session, { method, path, body: value, headers });
    sent.push({ method, path, headers: signed, body });
    const answer = await stack.send(method, path, signed, body);
    answers.push(`${answer.status} ${answer.text} ${JSON.stringify([...answer.headers])}`);
  };
  await call('GET', '/me');
  await call('PUT', '/me', { profile: { city: 'Dali' } });
  await call('GET', '/data/notice/1');
  await call(
    'POST',
    '/recharge',
    { productId: 'coins-60', provider: 'sandbox' },
    { 'idempotency-key': 'k'.repeat(32) },
  );
  await call('GET', '/sessions');
  await call('GET', '/nothing-here');
  await call('POST', '/balance/spend', { amount: 1 }, { 'idempotency-key': 's'.repeat(32) });
  const dumps = [await dumpMysql(stack.mysql), await dumpRedis(stack.redis)].join('\n');
  loot = { logs: logs.join('\n'), sent, answers: answers.join('\n'), dumps };
});

afterAll(() => {
  vi.restoreAllMocks();
});

/** Texts of the loot that could be a key: 43 characters of base64url, or 64 hex digits. */
const likeKeys = (text: string): string[] => [...new Set(text.match(/[\w-]{43}|[0-9a-f]{64}/g) ?? [])];
const likeNames = (text: string): string[] => [...new Set(text.match(/(?<![\w-])[\w-]{22}(?![\w-])/g) ?? [])];
const isUser = async (signer: SignedSession): Promise<boolean> => {
  const headers = { 'access-token': sessionToken(world.appId, signer, { method: 'GET', path: '/me' }) };
  return (await stack.send('GET', '/me', headers)).body?.userId === userId;
};

describe('the key of a session and its sid', () => {
  test('are in the answer of the login alone: in no log line, no engine and no later answer', () => {
    expect(loot.logs).toContain('"route":"GET /me"');
    expect(loot.dumps).toContain(userId);
    for (const [where, text] of Object.entries({ ...loot, sent: '' })) {
      expect([where, String(text).includes(session.key)]).toEqual([where, false]);
      expect([where, String(text).includes(sid)]).toEqual([where, false]);
    }
    // The name is on the wire with every call; the key is not.
    const wire = JSON.stringify(loot.sent.map(({ headers }) => atob(headers['access-token'] ?? '')));
    expect([wire.includes(sid), wire.includes(session.key)]).toEqual([true, false]);
  });
});

describe('nobody calls as the user', () => {
  test('with copied headers, with the logs of a day and with later answers', async () => {
    for (const { method, path, headers, body } of loot.sent) {
      if (path === '/nothing-here') continue;
      const again = await stack.send(method, path, headers, body);
      expect([path, again.status, again.body.code]).toEqual([path, 401, 'REPLAYED']);
      const elsewhere = await stack.send('GET', '/balance', headers);
      expect(elsewhere.text).toBe('{"message":"Forbidden"}');
    }
    const text = JSON.stringify(loot.sent) + loot.logs + loot.answers;
    for (const key of [...likeKeys(text), session.session, userId, sid, world.appId, '']) {
      expect(await isUser({ session: session.session, key })).toBe(false);
    }
    const named = publicHeaders(world.appId, undefined, { method: 'GET', path: '/me' });
    for (const token of [session.session, `s1.${session.session}`]) {
      const answer = await stack.send('GET', '/me', { ...named, authorization: `Bearer ${token}` });
      expect(answer.body.code).toBe('LOGIN_REQUIRED');
    }
  });

  test('with the dumps of both engines', async () => {
    const keys = likeKeys(loot.dumps).slice(0, 200);
    expect(keys.length).toBeGreaterThan(0);
    const names = [session.session, ...likeNames(loot.dumps).map((name) => `${userId}.${name}`)].slice(0, 20);
    for (const name of names) for (const key of keys) expect(await isUser({ session: name, key })).toBe(false);
  });

  test('with both dumps and SIGNING_KEY: the name of a session is in no dump', async () => {
    const signingKey = stack.env.SIGNING_KEY ?? '';
    const [rows] = await stack.mysql.query('SELECT session_id FROM sessions WHERE user_id = ?', [userId]);
    const [{ session_id: id }] = rows as [{ session_id: string }];
    expect(loot.dumps).toContain(id);
    const guesses = [
      id.slice(0, 22),
      id.slice(-22),
      Buffer.from(id, 'hex').toString('base64url'),
      ...likeNames(loot.dumps),
    ];
    for (const guess of guesses.slice(0, 500)) {
      const name = `${userId}.${guess}`;
      expect(await isUser({ session: name, key: expectedSessionKey(signingKey, world.appId, name) })).toBe(false);
    }
  });

  test('the limit: SIGNING_KEY with a header from the network is that user, until the key is changed', async () => {
    const header = JSON.parse(atob(loot.sent[0]?.headers['access-token'] ?? ''));
    const key = expectedSessionKey(stack.env.SIGNING_KEY ?? '', world.appId, header.session);
    expect(await isUser({ session: header.session, key })).toBe(true);
    const former = process.env.SIGNING_KEY;
    process.env.SIGNING_KEY = '7'.repeat(64);
    expect(await isUser({ session: header.session, key })).toBe(false);
    process.env.SIGNING_KEY = former;
  });
});
