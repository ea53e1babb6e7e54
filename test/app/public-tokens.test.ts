import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { mintAppId } from '../../shared/master-key.ts';
import { atTime, judgedHere } from '../support/clock.ts';
import { inventedSession, namedToken, type PublicCall, publicHeaders, sessionToken } from '../support/public-app.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

const FORBIDDEN = '{"message":"Forbidden"}';
const path = '/data/notice/1';
const read: PublicCall = { method: 'GET', path };

let stack: TestStack;
let server: TestApp;
let appId: string;
/** The signature of this session is right, and no login has opened it: only the authorizer accepts it. */
let unopened: ReturnType<typeof inventedSession>;
beforeAll(async () => {
  stack = await startTestStack();
  server = await stack.createApp();
  ({ appId } = await stack.createApp({ methods: ['SESSION-HMAC-SHA256'] }));
  unopened = inventedSession(stack.env.SIGNING_KEY ?? '', appId);
});

const send = (token: string, target = path) => stack.send('GET', target, { 'access-token': token });
const isForbidden = async (token: string, target?: string): Promise<boolean> =>
  (await send(token, target)).text === FORBIDDEN;
const changed = (change: (members: Record<string, string>) => object): string => {
  const members = JSON.parse(Buffer.from(sessionToken(appId, unopened, read), 'base64').toString());
  return Buffer.from(JSON.stringify(change(members))).toString('base64');
};

describe('a token that a session signed', () => {
  test('passes the authorizer; then the function finds that no login opened the session', async () => {
    const answer = await send(sessionToken(appId, unopened, read));
    expect([answer.status, answer.body.code]).toEqual([401, 'LOGIN_EXPIRED']);
  });

  test.each<[string, (members: Record<string, string>) => object]>([
    ['a changed nonce', (m) => ({ ...m, nonce: `x${m.nonce?.slice(1)}` })],
    ['a changed time', (m) => ({ ...m, timeStamp: String(Number(m.timeStamp) + 1) })],
    ['another public app', (m) => ({ ...m, AppID: mintAppId() })],
    ['the AppID of a server', (m) => ({ ...m, AppID: server.appId })],
    ['another user', (m) => ({ ...m, session: `${'u'.repeat(22)}.${m.session?.split('.')[1]}` })],
    ['another sid', (m) => ({ ...m, session: `${m.session?.split('.')[0]}.${'s'.repeat(22)}` })],
    ['a signature of zeros', (m) => ({ ...m, signature: '0'.repeat(64) })],
    ['a signature in upper case', (m) => ({ ...m, signature: m.signature?.toUpperCase().replace(/^\d/, 'A') })],
    ['the method of keys', (m) => ({ ...m, signatureMethod: 'HMAC-SHA256' })],
    ['the method NAMED', (m) => ({ ...m, signatureMethod: 'NAMED' })],
    ['no signature', ({ signature: _, ...rest }) => rest],
    ['no session', ({ session: _, ...rest }) => rest],
    ['a seventh member', (m) => ({ ...m, admin: 'yes' })],
  ])('with %s is refused with the same answer as every refusal', async (_, change) => {
    expect(await isForbidden(changed(change))).toBe(true);
  });

  test('is valid for its own method, path, query and idempotency key only', async () => {
    const token = sessionToken(appId, unopened, { ...read, query: 'ids=1,2', path: '/data/notice' });
    expect(await isForbidden(token, '/data/notice?ids=1,3')).toBe(true);
    expect(await isForbidden(token, '/data/service?ids=1,2')).toBe(true);
    expect((await send(token, '/data/notice?ids=1%2C2')).body.code).toBe('LOGIN_EXPIRED');
    const call = { method: 'POST', path: '/logout', headers: { 'idempotency-key': 'a'.repeat(32) } };
    const headers = publicHeaders(appId, unopened, call);
    for (const key of ['b'.repeat(32), '', 'a'.repeat(33), '\u00e9'.repeat(16)]) {
      const answer = await stack.send('POST', call.path, { ...headers, 'idempotency-key': key });
      expect([key, answer.text]).toEqual([key, FORBIDDEN]);
    }
    const { 'idempotency-key': _, ...without } = headers as Record<string, string>;
    expect((await stack.send('POST', call.path, without)).text).toBe(FORBIDDEN);
    expect((await stack.send('GET', call.path, headers)).status).toBe(404);
    expect((await stack.send('POST', call.path, headers)).body.code).toBe('LOGIN_EXPIRED');
  });

  test.each([
    ['300 s old is accepted', -300, false],
    ['300 s ahead is accepted', 300, false],
    ['301 s old is refused', -301, true],
    ['301 s ahead is refused', 301, true],
  ])('%s', async (_, offset, refused) => {
    const at = judgedHere(offset);
    const token = sessionToken(appId, unopened, { ...read, timeStamp: at / 1000 + offset });
    expect(await atTime(at, () => isForbidden(token))).toBe(refused);
  });

  test('is refused when its key was made under a signing key that nobody has', async () => {
    const stranger = inventedSession(randomBytes(32).toString('hex'), appId);
    expect(await isForbidden(sessionToken(appId, stranger, read))).toBe(true);
  });
});

test('random changes of a signed or named token never reach a function, and no answer is a 5xx', async () => {
  const tokens = [sessionToken(appId, unopened, read), namedToken(appId)];
  const altered = fc.sample(
    fc.tuple(fc.constantFrom(...tokens), fc.nat(), fc.constantFrom(...'Aa0+/=-_ ,'), fc.boolean()),
    { numRuns: 150, seed: 20_261_127 },
  );
  for (const [token, at, char, insert] of altered) {
    const place = at % token.length;
    const text = `${token.slice(0, place)}${char}${token.slice(insert ? place : place + 1)}`.trim();
    if (tokens.includes(text)) continue;
    const answer = await send(text);
    // A named token of another AppID may still have the right form: such an AppID does not exist.
    expect([text, answer.status, answer.text]).toEqual([text, 403, FORBIDDEN]);
  }
});

describe('the kind of an app', () => {
  test('a server app refuses named and signed sessions, a public app refuses v1 and v2', async () => {
    const session = inventedSession(stack.env.SIGNING_KEY ?? '', server.appId);
    expect(await isForbidden(sessionToken(server.appId, session, read))).toBe(true);
    expect(await isForbidden(namedToken(server.appId))).toBe(true);
    const pretended = { appId, privateKey: server.privateKey };
    for (const signature of ['v1', 'v2'] as const) {
      expect((await stack.call(pretended, 'GET', path, { signature })).text).toBe(FORBIDDEN);
    }
  });

  test('a disabled public app gets the same refusal as an unknown one', async () => {
    const disabled = await stack.createApp({ methods: ['SESSION-HMAC-SHA256'], disabled: true });
    const session = inventedSession(stack.env.SIGNING_KEY ?? '', disabled.appId);
    expect(await isForbidden(sessionToken(disabled.appId, session, read))).toBe(true);
    expect(await isForbidden(namedToken(disabled.appId))).toBe(true);
  });
});

describe('the cost of the authorizer for strangers', () => {
  const none = { redisRequests: 0, mysqlRequests: 0 };

  test('forged sessions and old stamps of an app that exists ask no engine, in a new process too', async () => {
    await stack.api.reload();
    await stack.resetCounters();
    for (let i = 0; i < 20; i++) {
      const forged = inventedSession(randomBytes(32).toString('hex'), appId);
      expect(await isForbidden(sessionToken(appId, forged, read))).toBe(true);
      const old = { ...read, timeStamp: Math.floor(Date.now() / 1000) - 400 };
      expect(await isForbidden(sessionToken(appId, unopened, old))).toBe(true);
    }
    expect(await stack.counters()).toMatchObject(none);
  });

  test('invented AppIDs ask no engine, named or signed', async () => {
    await stack.resetCounters();
    for (let i = 0; i < 20; i++) {
      const invented = mintAppId().replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
      const session = inventedSession(stack.env.SIGNING_KEY ?? '', invented);
      expect(await isForbidden(namedToken(invented))).toBe(true);
      expect(await isForbidden(sessionToken(invented, session, read))).toBe(true);
    }
    expect(await stack.counters()).toMatchObject(none);
  });

  test('named calls at a server app ask Redis at most once in 5 s', async () => {
    expect(await isForbidden(namedToken(server.appId))).toBe(true);
    await stack.resetCounters();
    for (let i = 0; i < 10; i++) expect(await isForbidden(namedToken(server.appId))).toBe(true);
    expect((await stack.counters()).redisRequests).toBeLessThanOrEqual(1);
    expect((await stack.counters()).mysqlRequests).toBe(0);
  });
});
