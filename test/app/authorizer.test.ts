import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { mintAppId } from '../../shared/master-key.ts';
import { atTime, judgedHere } from '../support/clock.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

const FORBIDDEN = '{"message":"Forbidden"}';
const now = (): number => Math.floor(Date.now() / 1000);
const path = '/data/notice/1';

let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
  // The first call fills the memory of the authorizer and of the business function.
  expect((await stack.call(app, 'GET', path)).status).toBe(200);
});

/** Headers with a good token whose members were changed after signing. */
function tampered(change: (members: Record<string, unknown>) => Record<string, unknown>): Record<string, string> {
  const headers = stack.sign(app, 'GET', path);
  const members = JSON.parse(Buffer.from(headers['access-token'] ?? '', 'base64').toString('utf8'));
  return { 'access-token': Buffer.from(JSON.stringify(change(members))).toString('base64') };
}

describe('an access_token over HTTP', () => {
  test('API Gateway answers 401 by itself when the token is missing or empty', async () => {
    for (const headers of [{}, { 'access-token': '' }] as Record<string, string>[]) {
      const answer = await stack.send('GET', path, headers);
      expect([answer.status, answer.text]).toEqual([401, '{"message":"Unauthorized"}']);
    }
  });

  test.each<[string, (members: Record<string, unknown>) => Record<string, unknown>]>([
    ['a changed nonce', (m) => ({ ...m, nonce: `x${String(m.nonce).slice(1)}` })],
    ['a changed time', (m) => ({ ...m, timeStamp: String(Number(m.timeStamp) + 1) })],
    ['another app that exists', (m) => ({ ...m, AppID: mintAppId() })],
    ['an invented AppID', (m) => ({ ...m, AppID: '6f1c1f0e-5d0b-4c57-9a55-0c6a6e0d7b21' })],
    ['AppID __proto__', (m) => ({ ...m, AppID: '__proto__' })],
    ['AppID constructor', (m) => ({ ...m, AppID: 'constructor' })],
    ['a signature with one more digit', (m) => ({ ...m, signature: `${m.signature}0` })],
    ['a signature of zeros', (m) => ({ ...m, signature: '0'.repeat(64) })],
    [
      'another signature method',
      (m) => ({ ...m, signatureMethod: 'SHA1', signature: String(m.signature).slice(0, 40) }),
    ],
    ['an unknown member', (m) => ({ ...m, admin: 'yes' })],
    ['a missing member', ({ nonce: _, ...rest }) => rest],
  ])('%s is refused with the same answer as every refusal', async (_, change) => {
    const answer = await stack.send('GET', path, tampered(change));
    expect([answer.status, answer.text]).toEqual([403, FORBIDDEN]);
  });

  test.each([
    ['299 s old is accepted', -299, 200],
    ['299 s ahead is accepted', 299, 200],
    ['300 s old is accepted', -300, 200],
    ['300 s ahead is accepted', 300, 200],
    ['301 s old is refused', -301, 403],
    ['301 s ahead is refused', 301, 403],
    ['a day old is refused', -86_400, 403],
    ['a year ahead is refused', 31_536_000, 403],
  ])('a token %s', async (_, offset, status) => {
    const at = judgedHere(offset);
    const request = { timeStamp: at / 1000 + offset };
    const answer = await atTime(at, () => stack.call(app, 'GET', path, request));
    expect(answer.status).toBe(status);
  });

  test('a signature method that the app does not allow is refused', async () => {
    const strict = await stack.createApp({ methods: ['HMAC-SHA256'] });
    expect((await stack.call(strict, 'GET', path)).status).toBe(200);
    expect((await stack.call(strict, 'GET', path, { signature: 'v1' })).text).toBe(FORBIDDEN);
  });

  test('a disabled app gets the same refusal as an unknown one', async () => {
    const disabled = await stack.createApp({ disabled: true });
    expect((await stack.call(disabled, 'GET', path)).text).toBe(FORBIDDEN);
  });

  test('a v2 token is valid for its own path and query only', async () => {
    const headers = () => stack.sign(app, 'GET', '/data/notice', { query: 'ids=1,2' });
    expect((await stack.send('GET', '/data/notice?ids=1,2', headers())).status).toBe(200);
    expect((await stack.send('GET', '/data/notice?ids=1,3', headers())).text).toBe(FORBIDDEN);
    expect((await stack.send('GET', '/data/service?ids=1,2', headers())).text).toBe(FORBIDDEN);
    expect((await stack.send('GET', path, headers())).text).toBe(FORBIDDEN);
  });

  test('a query may be sent in another encoding than it was signed in', async () => {
    const headers = stack.sign(app, 'GET', '/data/notice', { query: 'ids=1%2C2' });
    expect((await stack.send('GET', '/data/notice?ids=1,2', headers)).status).toBe(200);
  });

  test('the case of the header name does not matter', async () => {
    for (const name of ['Access-Token', 'ACCESS-TOKEN']) {
      const token = stack.sign(app, 'GET', path)['access-token'] ?? '';
      expect((await stack.send('GET', path, { [name]: token })).status).toBe(200);
    }
  });

  test('two tokens in one header are refused', async () => {
    const token = stack.sign(app, 'GET', path)['access-token'] ?? '';
    expect((await stack.send('GET', path, { 'access-token': `${token},${token}` })).text).toBe(FORBIDDEN);
  });

  test('ambiguous paths are refused', async () => {
    for (const odd of ['/data/notice/1%252F2', '/data/notice/1%5C2', '/data/notice/1%232', '/data/notice/%01']) {
      // A v1 signature does not cover the path, so a refusal here is about the path itself.
      const headers = stack.sign(app, 'GET', path, { signature: 'v1' });
      const answer = await stack.send('GET', odd, headers);
      expect([odd, answer.status]).toEqual([odd, 403]);
    }
  });
});

describe('replay', () => {
  test.each(['v1', 'v2'] as const)('a %s token is accepted once', async (signature) => {
    const headers = stack.sign(app, 'GET', path, { signature });
    expect((await stack.send('GET', path, headers)).status).toBe(200);
    const again = await stack.send('GET', path, headers);
    expect([again.status, again.body.code]).toEqual([401, 'REPLAYED']);
  });

  test('exactly one of 200 equal calls at the same time is accepted', async () => {
    const headers = stack.sign(app, 'GET', path);
    const answers = await Promise.all(Array.from({ length: 200 }, () => stack.send('GET', path, headers)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'REPLAYED')).toHaveLength(199);
  });

  test('a token with other white space, order of members, hex case or type of timeStamp is a replay', async () => {
    const token = stack.sign(app, 'GET', path, { signature: 'v1' })['access-token'] ?? '';
    const members = JSON.parse(Buffer.from(token, 'base64').toString('utf8'));
    const variants = [
      members,
      Object.fromEntries(Object.entries(members).reverse()),
      { ...members, signature: members.signature.toUpperCase() },
      { ...members, timeStamp: Number(members.timeStamp) },
    ].flatMap((variant) => [JSON.stringify(variant), JSON.stringify(variant, null, 1)]);
    const codes: unknown[] = [];
    for (const text of variants) {
      const answer = await stack.send('GET', path, { 'access-token': Buffer.from(text).toString('base64') });
      codes.push(answer.status === 200 ? 'passed' : answer.body.code);
    }
    expect(codes).toEqual(['passed', ...new Array(7).fill('REPLAYED')]);
  });

  test('a call with a bad signature does not use up the nonce', async () => {
    const nonce = `n${randomBytes(12).toString('hex')}n`;
    const forged = { ...app, privateKey: 'not the key' };
    expect((await stack.call(forged, 'GET', path, { nonce, signature: 'v1' })).text).toBe(FORBIDDEN);
    expect((await stack.call(app, 'GET', path, { nonce, signature: 'v1' })).status).toBe(200);
    const sameNonce = await stack.call(app, 'GET', path, { nonce, signature: 'v1', timeStamp: now() - 5 });
    expect(sameNonce.body.code).toBe('REPLAYED');
  });

  test('two apps may use the same nonce', async () => {
    const nonce = `n${randomBytes(12).toString('hex')}n`;
    const other = await stack.createApp();
    expect((await stack.call(app, 'GET', path, { nonce, signature: 'v1' })).status).toBe(200);
    expect((await stack.call(other, 'GET', path, { nonce, signature: 'v1' })).status).toBe(200);
  });

  test('a replay record lives longer than the time window of its token', async () => {
    const headers = stack.sign(app, 'GET', path, { timeStamp: now() + 290 });
    expect((await stack.send('GET', path, headers)).status).toBe(200);
    const records = (await stack.redis.keys('mpc:*:replay:signature:*')).map((key) => stack.redis.pexpiretime(key));
    const latest = Math.max(...(await Promise.all(records)));
    expect(latest / 1000).toBeGreaterThanOrEqual(now() + 290 + 300);
  });
});

describe('the cost of the authorizer', () => {
  test('an app record in neither memory nor Redis costs one request to Redis and one to MySQL, the next call none', async () => {
    const fresh = await stack.createApp();
    const costs: unknown[] = [];
    const measure = async () => {
      await stack.resetCounters();
      // The scope is refused before the function asks an engine, so only the authorizer is measured.
      await stack.call(fresh, 'POST', '/plugins/x/validate', { body: { pluginToken: 'x' } });
      const { redisRequests, redisCommands, mysqlRequests } = await stack.counters();
      costs.push({ redisRequests, redisCommands, mysqlRequests });
    };
    await measure();
    await measure();
    expect(costs).toEqual([
      { redisRequests: 2, redisCommands: 5, mysqlRequests: 1 },
      { redisRequests: 0, redisCommands: 0, mysqlRequests: 0 },
    ]);
  });

  test('ten bad signatures of a known app within 5 s ask no engine', async () => {
    const known = await stack.createApp();
    const forger = { ...known, privateKey: 'not the key' };
    expect((await stack.call(known, 'GET', path)).status).toBe(200);
    await stack.resetCounters();
    for (let i = 0; i < 10; i++) expect((await stack.call(forger, 'GET', path)).text).toBe(FORBIDDEN);
    expect(await stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

  test('an invented AppID and random text as token ask no engine', async () => {
    await stack.resetCounters();
    for (let i = 0; i < 20; i++) {
      const invented = { appId: mintAppId().replace(/.$/, (digit) => (digit === '0' ? '1' : '0')), privateKey: 'k' };
      expect((await stack.call(invented, 'GET', path)).text).toBe(FORBIDDEN);
      const rubbish = { 'access-token': randomBytes(30).toString('base64') };
      expect((await stack.send('GET', path, rubbish)).text).toBe(FORBIDDEN);
    }
    expect(await stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });
});
