import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { mintAppId } from '../../shared/master-key.ts';
import { atTime, wholeSecond } from '../support/clock.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

const FORBIDDEN = '{"message":"Forbidden"}';
const now = (): number => Math.floor(Date.now() / 1000);
const path = '/data/notice/1';

let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
  // The authorizer's and the business function's first calls: records are warm from here on.
  expect((await stack.call(app, 'GET', path)).status).toBe(200);
});

/** Members of a good token, changed, and sent as they are. */
function tampered(change: (members: Record<string, unknown>) => Record<string, unknown>): Record<string, string> {
  const headers = stack.sign(app, 'GET', path);
  const members = JSON.parse(Buffer.from(headers['access-token'] ?? '', 'base64').toString('utf8'));
  return { 'access-token': Buffer.from(JSON.stringify(change(members))).toString('base64') };
}

describe('an access_token over HTTP', () => {
  test('without one, or with an empty one, API Gateway answers 401 by itself', async () => {
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
      'a method it did not sign by',
      (m) => ({ ...m, signatureMethod: 'SHA1', signature: String(m.signature).slice(0, 40) }),
    ],
    ['an unknown member', (m) => ({ ...m, admin: 'yes' })],
    ['a missing member', ({ nonce: _, ...rest }) => rest],
  ])('%s is refused as everything else is', async (_, change) => {
    const answer = await stack.send('GET', path, tampered(change));
    expect([answer.status, answer.text]).toEqual([403, FORBIDDEN]);
  });

  test.each([
    ['299 s old', -299, 200],
    ['299 s ahead', 299, 200],
    ['300 s old', -300, 200],
    ['300 s ahead', 300, 200],
    ['301 s old', -301, 403],
    ['301 s ahead', 301, 403],
    ['a day old', -86_400, 403],
    ['a year ahead', 31_536_000, 403],
  ])('a token %s', async (_, offset, status) => {
    const at = wholeSecond();
    const request = { timeStamp: at / 1000 + offset };
    const answer = await atTime(at, () => stack.call(app, 'GET', path, request));
    expect(answer.status).toBe(status);
  });

  test('a method that the app does not allow is refused', async () => {
    const strict = await stack.createApp({ methods: ['HMAC-SHA256'] });
    expect((await stack.call(strict, 'GET', path)).status).toBe(200);
    expect((await stack.call(strict, 'GET', path, { signature: 'v1' })).text).toBe(FORBIDDEN);
  });

  test('a disabled app is refused as an unknown one', async () => {
    const disabled = await stack.createApp({ disabled: true });
    expect((await stack.call(disabled, 'GET', path)).text).toBe(FORBIDDEN);
  });

  test('v2 holds for one method, path, query and body alone', async () => {
    const headers = () => stack.sign(app, 'GET', '/data/notice', { query: 'ids=1,2' });
    expect((await stack.send('GET', '/data/notice?ids=1,2', headers())).status).toBe(200);
    expect((await stack.send('GET', '/data/notice?ids=1,3', headers())).text).toBe(FORBIDDEN);
    expect((await stack.send('GET', '/data/service?ids=1,2', headers())).text).toBe(FORBIDDEN);
    expect((await stack.send('GET', path, headers())).text).toBe(FORBIDDEN);
  });

  test('a query may be sent in any order and encoding that means the same', async () => {
    const headers = stack.sign(app, 'GET', '/data/notice', { query: 'ids=1%2C2' });
    expect((await stack.send('GET', '/data/notice?ids=1,2', headers)).status).toBe(200);
  });

  test('header names are taken in any case', async () => {
    for (const name of ['Access-Token', 'ACCESS-TOKEN']) {
      const token = stack.sign(app, 'GET', path)['access-token'] ?? '';
      expect((await stack.send('GET', path, { [name]: token })).status).toBe(200);
    }
  });

  test('two tokens in one call are no token', async () => {
    const token = stack.sign(app, 'GET', path)['access-token'] ?? '';
    expect((await stack.send('GET', path, { 'access-token': `${token},${token}` })).text).toBe(FORBIDDEN);
  });

  test('paths that could be read in two ways are refused', async () => {
    for (const odd of ['/data/notice/1%252F2', '/data/notice/1%5C2', '/data/notice/1%232', '/data/notice/%01']) {
      // v1 binds no path, so that nothing but the path can be what is refused.
      const headers = stack.sign(app, 'GET', path, { signature: 'v1' });
      const answer = await stack.send('GET', odd, headers);
      expect([odd, answer.status]).toEqual([odd, 403]);
    }
  });
});

describe('replay', () => {
  test.each(['v1', 'v2'] as const)('a %s token passes once', async (signature) => {
    const headers = stack.sign(app, 'GET', path, { signature });
    expect((await stack.send('GET', path, headers)).status).toBe(200);
    const again = await stack.send('GET', path, headers);
    expect([again.status, again.body.code]).toEqual([401, 'REPLAYED']);
  });

  test('of 200 equal calls at once exactly one passes', async () => {
    const headers = stack.sign(app, 'GET', path);
    const answers = await Promise.all(Array.from({ length: 200 }, () => stack.send('GET', path, headers)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'REPLAYED')).toHaveLength(199);
  });

  test('other white space, order of members, hex case or type of timeStamp make no new token', async () => {
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

  test('a bad signature burns no nonce', async () => {
    const nonce = `n${randomBytes(12).toString('hex')}n`;
    const forged = { ...app, privateKey: 'not the key' };
    expect((await stack.call(forged, 'GET', path, { nonce, signature: 'v1' })).text).toBe(FORBIDDEN);
    expect((await stack.call(app, 'GET', path, { nonce, signature: 'v1' })).status).toBe(200);
    const sameNonce = await stack.call(app, 'GET', path, { nonce, signature: 'v1', timeStamp: now() - 5 });
    expect(sameNonce.body.code).toBe('REPLAYED');
  });

  test('the same nonce under another app is another nonce', async () => {
    const nonce = `n${randomBytes(12).toString('hex')}n`;
    const other = await stack.createApp();
    expect((await stack.call(app, 'GET', path, { nonce, signature: 'v1' })).status).toBe(200);
    expect((await stack.call(other, 'GET', path, { nonce, signature: 'v1' })).status).toBe(200);
  });

  test('its record outlives the window in which the token would pass', async () => {
    const headers = stack.sign(app, 'GET', path, { timeStamp: now() + 290 });
    expect((await stack.send('GET', path, headers)).status).toBe(200);
    const records = (await stack.redis.keys('mpc:*:replay:signature:*')).map((key) => stack.redis.pexpiretime(key));
    const latest = Math.max(...(await Promise.all(records)));
    expect(latest / 1000).toBeGreaterThanOrEqual(now() + 290 + 300);
  });
});

describe('what it costs', () => {
  test('a warm authorizer asks no engine; an app not in the process one of Redis; not in the cache, one of each more', async () => {
    const fresh = await stack.createApp();
    const costs: unknown[] = [];
    const spend = async () => {
      await stack.resetCounters();
      // No route of its own behind it is reached: the scope refuses before anything is asked.
      await stack.call(fresh, 'POST', '/plugins/x/validate', { body: { pluginToken: 'x' } });
      const { redisRequests, redisCommands, mysqlRequests } = await stack.counters();
      costs.push({ redisRequests, redisCommands, mysqlRequests });
    };
    await spend();
    await spend();
    expect(costs).toEqual([
      { redisRequests: 2, redisCommands: 4, mysqlRequests: 1 },
      { redisRequests: 0, redisCommands: 0, mysqlRequests: 0 },
    ]);
  });

  test('a bad signature costs a warm authorizer one look at the record in five seconds, a good one none', async () => {
    const known = await stack.createApp();
    const forger = { ...known, privateKey: 'not the key' };
    expect((await stack.call(known, 'GET', path)).status).toBe(200);
    await stack.resetCounters();
    for (let i = 0; i < 10; i++) expect((await stack.call(forger, 'GET', path)).text).toBe(FORBIDDEN);
    expect(await stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

  test('an invented AppID and a token of rubbish ask no engine', async () => {
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
