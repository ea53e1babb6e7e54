import { createHash } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { signV1 } from '../../client/sign.ts';
import { createApp, disableApp, enableApp, NEW_METHODS, NEW_SCOPES } from '../../shared/app/admin.ts';
import { revokeKey, rotateKey } from '../../shared/app/keys.ts';
import { mintAppId } from '../../shared/master-key.ts';
import { bundleFolder } from '../support/bundles.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

const FORBIDDEN = [403, '{"message":"Forbidden"}'];
const path = '/data/notice/1';
const seconds = (): number => Math.floor(Date.now() / 1000);
const base64 = (text: string): string => Buffer.from(text).toString('base64');

let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp({ methods: ['SHA1', 'MD5', 'HMAC-SHA256'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function present(token: string): Promise<unknown[]> {
  const answer = await stack.send('GET', path, { 'access-token': token });
  return [answer.status, answer.status === 200 ? 'passed' : answer.text];
}
const v1 = (appId: string, privateKey: string, nonce = 'n0123456789abcdefn', timeStamp: number | string = seconds()) =>
  signV1({ appId, privateKey, nonce, timeStamp, method: 'SHA1' });

describe('a key that anybody can know', () => {
  test.each(['__proto__', 'constructor', 'toString', 'valueOf', 'hasOwnProperty'])(
    'AppID %s is unknown, although every JavaScript object has a member of that name',
    async (name) => {
      const inherited = (Object.prototype as Record<string, unknown>)[name];
      for (const key of [String(inherited), '', 'undefined', 'null', '[object Object]']) {
        expect(await present(v1(name, key))).toEqual(FORBIDDEN);
      }
    },
  );

  test('the placeholder for a missing key is accepted neither for an unknown app nor for an app with one key', async () => {
    const placeholder = createHash('sha256').update('no such app').digest('hex');
    for (const key of [placeholder, '', 'undefined', 'null']) {
      for (const appId of [mintAppId(), app.appId]) {
        expect(await present(v1(appId, key))).toEqual(FORBIDDEN);
        const headers = stack.sign({ appId, privateKey: key }, 'GET', path);
        expect(await present(headers['access-token'] ?? '')).toEqual(FORBIDDEN);
      }
    }
  });

  test('two apps never have the same key, so that no signature is valid under another AppID', async () => {
    const wanted = { name: 'x', methods: NEW_METHODS, scopes: NEW_SCOPES, plugins: null, validates: null };
    const keys = await Promise.all(Array.from({ length: 20 }, () => createApp(wanted, 'test')));
    expect(new Set(keys.map(({ privateKey }) => privateKey)).size).toBe(20);
    expect(keys.every(({ privateKey }) => Buffer.from(privateKey, 'base64url').length === 32)).toBe(true);
  });
});

describe('a v1 signature', () => {
  test('that can be read in two ways is refused in both', async () => {
    const now = seconds();
    const later = now + 200;
    const pairs: Array<[nonce: string, stamp: string]> = [
      [String(later).padEnd(16, '0'), String(now)],
      [`a8f31c${later}`, String(now)],
      [`${now}a8f31c`, String(later)],
      [`999${'abc'.repeat(5)}`, String(now)],
      ['abc'.repeat(6), `${now}999`],
    ];
    const answers = [];
    for (const [nonce, stamp] of pairs) answers.push(await present(v1(app.appId, app.privateKey, nonce, stamp)));
    // 999abc... is an ordinary nonce. The other reading has a time of 13 digits.
    expect(answers.map(([status]) => status)).toEqual([403, 403, 403, 200, 403]);
  });

  test('by MD5 passes only for an app that chose MD5', async () => {
    const md5 = (caller: TestApp) =>
      signV1({ ...caller, nonce: 'm0123456789abcdefm', timeStamp: seconds(), method: 'MD5' });
    expect((await present(md5(app)))[0]).toBe(200);
    expect(await present(md5(await stack.createApp()))).toEqual(FORBIDDEN);
  });
});

test('a malformed time, or a member of another type, is refused and never causes a 500', async () => {
  const members = JSON.parse(Buffer.from(v1(app.appId, app.privateKey), 'base64').toString());
  const now = String(seconds());
  const times = [
    'abc',
    'NaN',
    'Infinity',
    '',
    '-1',
    `+${now}`,
    ` ${now}`,
    `0${now}`,
    `${now}.0`,
    '1.7672256e9',
    '0x6955b900',
  ];
  const odd: unknown[] = [
    ...times,
    '2026-01-01T00:00:00Z',
    '１７６７２２５６００',
    [],
    {},
    true,
    null,
    1767225600.5,
    [now],
    { toString: 1 },
  ];
  for (const name of Object.keys(members)) {
    for (const value of odd) {
      const answer = await present(base64(JSON.stringify({ ...members, [name]: value })));
      expect([name, value, ...answer]).toEqual([name, value, ...FORBIDDEN]);
    }
  }
  for (const method of ['sha1', 'None', 'none', 'SHA1 ', 'SHA-1', '__proto__', 'constructor', ['SHA1']]) {
    expect(await present(base64(JSON.stringify({ ...members, signatureMethod: method })))).toEqual(FORBIDDEN);
  }
});

test('a function that is called without the authorizer refuses every call', async () => {
  const { handler } = await import(`${bundleFolder()}/business.mjs`);
  const event = {
    routeKey: 'GET /data/{resource}/{id}',
    rawPath: path,
    rawQueryString: '',
    headers: {},
    isBase64Encoded: false,
    pathParameters: { resource: 'notice', id: '1' },
  };
  const proven = { appId: app.appId, keyId: 'k1', scopes: 'data:read,open:data', plugins: '*', validates: '' };
  const unknown = [undefined, '', 'named', 'HMAC', 'SESSION', 7].map((signatureMethod) => ({
    lambda: { ...proven, signatureMethod, session: '', signature: '', nonce: '', timeStamp: 0, bodySha256: '' },
  }));
  const lambda = { awsRequestId: 'r', getRemainingTimeInMillis: () => 5_000 };
  for (const authorizer of [undefined, {}, { lambda: null }, { lambda: {} }, { lambda: { appId: 7 } }, ...unknown]) {
    const requestContext = { http: { method: 'GET', sourceIp: '127.0.0.1' }, ...(authorizer && { authorizer }) };
    const answer = await handler({ ...event, requestContext }, lambda);
    expect([answer.statusCode, JSON.parse(answer.body).code]).toEqual([500, 'INTERNAL']);
  }
});

describe('an app that was disabled, or a key that was revoked,', () => {
  const wanted = { name: 'x', methods: NEW_METHODS, scopes: NEW_SCOPES, plugins: null, validates: null };
  const write = (caller: TestApp) =>
    stack.call(caller, 'POST', '/login', { body: { account: 'nobody', password: 'x' } });
  const read = (caller: TestApp) => stack.call(caller, 'GET', path);
  const passesTime = (ms: number) => vi.setSystemTime(Date.now() + ms);

  test('is refused at once by calls that change something, and within a minute by all calls', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    const one = await createApp(wanted, 'test');
    expect([(await read(one)).status, (await write(one)).status]).toEqual([200, 401]);
    await disableApp(one.appId, 'test');
    const refused = await write(one);
    expect([refused.status, refused.text]).toEqual(FORBIDDEN);
    passesTime(61_000);
    expect((await read(one)).status).toBe(403);
    await enableApp(one.appId, 'test');
    passesTime(6_000);
    expect([(await read(one)).status, (await write(one)).status]).toEqual([200, 401]);
  });

  test('leaves the other of two live keys valid', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    const first = await createApp(wanted, 'test');
    expect((await read(first)).status).toBe(200);
    const second = { appId: first.appId, ...(await rotateKey(first.appId, 'test')) };
    passesTime(6_000);
    expect([(await read(second)).status, (await read(first)).status]).toEqual([200, 200]);
    await revokeKey(first.appId, 'k1', 'test');
    expect([(await write(first)).status, (await write(second)).status]).toEqual([403, 401]);
    passesTime(61_000);
    expect([(await read(first)).status, (await read(second)).status]).toEqual([403, 200]);
  });
});
