import { createHash, createHmac } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AccessToken, isInWindow, parseAccessToken } from '../../shared/app/access-token.ts';
import { hmacKey } from '../../shared/app/hmac.ts';
import { currentSigningKey, sessionKeyUnder } from '../../shared/app/session-key.ts';
import { sessionSigner, textOfSession } from '../../shared/app/session-signature.ts';
import { canonicalQuery, signaturesEqual } from '../../shared/app/signature.ts';
import { checkConfig } from '../../shared/config.ts';
import { expectedSessionKey } from '../support/expected-signature.ts';
import { sessionVectors } from '../support/session-vectors.ts';

const vectors = sessionVectors;
type Call = (typeof vectors.ok)[number]['call'];
const { session, key, keyUnderOld, keyAtOtherApp } = vectors.session;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const requestOf = ({ method, path, query, body }: Call) => ({
  method,
  path,
  rawQuery: query,
  bodySha256: sha256(body),
});

/** As the authorizer judges a token, without the app's record. */
function verdictOf(text: string, call: Call): string {
  const token = parseAccessToken(text);
  if (typeof token === 'string') return 'not-v3';
  if (token.signatureMethod === 'NAMED') return 'named';
  const proven =
    isInWindow(token, vectors.now) && sessionSigner(token, requestOf(call), call.idempotencyKey) !== undefined;
  return proven ? `session ${token.session}` : 'refused';
}

beforeAll(() => {
  process.env.SIGNING_KEY = vectors.SIGNING_KEY;
  process.env.SIGNING_KEY_OLD = vectors.SIGNING_KEY_OLD;
});

describe('the key of a session', () => {
  test('is the one that was computed outside the project, for each signing key and app', () => {
    const former = hmacKey(Buffer.from(vectors.SIGNING_KEY_OLD, 'hex'));
    expect(sessionKeyUnder(currentSigningKey(), vectors.AppID, session)).toBe(key);
    expect(sessionKeyUnder(former, vectors.AppID, session)).toBe(keyUnderOld);
    expect(sessionKeyUnder(currentSigningKey(), '0e9d7a31-22c4-4b7e-8f10-9d5c3b2a1f60', session)).toBe(keyAtOtherApp);
  });

  test('is HMAC-SHA256 of RFC 2104 for any app and session', () => {
    const part = fc.stringMatching(/^[\w-]{1,64}$/);
    fc.assert(
      fc.property(part, part, fc.uint8Array({ minLength: 32, maxLength: 32 }), (appId, name, secret) => {
        const made = sessionKeyUnder(hmacKey(Buffer.from(secret)), appId, name);
        return made === expectedSessionKey(Buffer.from(secret).toString('hex'), appId, name);
      }),
    );
  });
});

describe('known tokens that were computed outside the project', () => {
  test.each(vectors.ok)('$name: what the session signs', ({ call, toSign, signature, token }) => {
    const parsed = parseAccessToken(token) as AccessToken;
    expect(parsed).toMatchObject({ appId: vectors.AppID, session, signature });
    expect(textOfSession(parsed, requestOf(call), call.idempotencyKey)).toBe(toSign);
    const signedWith = [key, keyUnderOld].map((one) => createHmac('sha256', one).update(toSign).digest('hex'));
    expect(signedWith).toContain(signature);
  });

  test.each(vectors.judged)('$name: $verdict', ({ call, token, verdict, name }) => {
    expect(verdictOf(token, call)).toBe(name === 'base64 without padding' ? 'not-v3' : verdict);
  });

  test('tell which signing key made the key', () => {
    const signers = vectors.ok.map(({ call, token }) =>
      sessionSigner(parseAccessToken(token) as AccessToken, requestOf(call), call.idempotencyKey),
    );
    expect(signers).toEqual(['current', 'current', 'current', 'current', 'current', 'former']);
  });
});

const members = JSON.parse(Buffer.from(vectors.ok[0]?.token ?? '', 'base64').toString()) as Record<string, string>;
const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');
const text = JSON.stringify(members);

describe('a token of a public app has one spelling', () => {
  test.each<[string, unknown]>([
    ['a seventh member', { ...members, extra: 'x' }],
    ['a missing session', { ...members, session: undefined }],
    ['a space after a colon', text.replace(':"', ': "')],
    ['a line feed at the end', `${text}\n`],
    ['an escaped letter', text.replace('SESSION', '\\u0053ESSION')],
    ['a userId of 21', { ...members, session: session.slice(1) }],
    ['a sid of 23', { ...members, session: `${session}A` }],
    ['a session in three parts', { ...members, session: `${session}.1` }],
    ['a session without a dot', { ...members, session: session.replace('.', '-') }],
    ['full-width letters in the session', { ...members, session: session.replace('Q', '\uff31') }],
    ['a number as session', { ...members, session: 1 }],
    ['a signature of 63 digits', { ...members, signature: members.signature?.slice(1) }],
    ['a signature of 65 digits', { ...members, signature: `${members.signature}0` }],
    ['a nonce of 15', { ...members, nonce: 'a'.repeat(15) }],
    ['a nonce of 65', { ...members, nonce: 'a'.repeat(65) }],
    ['a time of 11 digits', { ...members, timeStamp: '17672256000' }],
    ['a time that begins with zero', { ...members, timeStamp: '0767225600' }],
    ['an AppID of 65', { ...members, AppID: 'a'.repeat(65) }],
    ['method none', { ...members, signatureMethod: 'none' }],
    ['five members under the method of sessions', { ...members, session: undefined }],
    ['six members under the method of keys', { ...members, signatureMethod: 'HMAC-SHA256' }],
    ['an AppID with a space behind it', `{"AppID":"${vectors.AppID}" }`],
    ['an AppID twice', `{"AppID":"a","AppID":"${vectors.AppID}"}`],
    ['an empty AppID', '{"AppID":""}'],
    ['an AppID that is a number', '{"AppID":1}'],
    ['a name of another case', `{"appid":"${vectors.AppID}"}`],
    ['an empty object', '{}'],
    ['an array', `[{"AppID":"${vectors.AppID}"}]`],
  ])('%s is refused', (_, value) => {
    expect(['json', 'form', 'charset', 'base64']).toContain(parseAccessToken(encode(value)));
  });

  test('with one character changed anywhere it is refused', () => {
    const [{ call, token } = { call: {} as Call, token: '' }] = vectors.ok;
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'ABCxyz019+/='), (at, char) => {
        const altered = token.slice(0, at) + char + token.slice(at + 1);
        return altered === token || !verdictOf(altered, call).startsWith('session');
      }),
      { numRuns: 2_000 },
    );
  });

  test('a nonce may look like a time, because parts are separated', () => {
    expect(parseAccessToken(encode({ ...members, nonce: 'a8f31c1767225899' }))).toMatchObject({ session });
  });
});

describe('the text that a session signs', () => {
  const alphabet = fc.stringMatching(/^[\w-]{1,22}$/);
  const drawn = fc.record({
    appId: alphabet,
    session: fc.tuple(alphabet, alphabet).map(([user, sid]) => `${user}.${sid}`),
    timeStamp: fc.integer({ min: 1_000_000_000, max: 9_999_999_999 }).map(String),
    nonce: fc.stringMatching(/^[\w-]{16,18}$/),
    method: fc.constantFrom('GET', 'POST'),
    path: fc.webPath().map((path) => `/${path.replaceAll('%', '')}`),
    rawQuery: fc.oneof(fc.constant(''), fc.webQueryParameters()),
    idempotencyKey: fc.oneof(fc.constant(''), fc.stringMatching(/^[!-~]{1,20}$/)),
    bodySha256: fc.constantFrom(sha256(''), sha256('{}')),
  });
  type Parts = typeof drawn extends fc.Arbitrary<infer T> ? T : never;
  const signedText = ({ idempotencyKey, ...parts }: Parts): string | undefined =>
    textOfSession({ ...parts, signatureMethod: 'SESSION-HMAC-SHA256', signature: '' }, parts, idempotencyKey);
  const canonical = (parts: Parts) => ({ ...parts, rawQuery: canonicalQuery(parts.rawQuery) });

  test('is equal for two calls only if all their parts are equal', () => {
    const some = fc.uniqueArray(fc.constantFrom(...(Object.keys(fc.sample(drawn, 1)[0] as Parts) as (keyof Parts)[])));
    fc.assert(
      fc.property(drawn, drawn, some, (one, other, changed) => {
        const mixed = { ...one, ...Object.fromEntries(changed.map((name) => [name, other[name]])) };
        const texts = [signedText(one), signedText(mixed)];
        if (texts.includes(undefined)) return true;
        return (texts[0] === texts[1]) === isDeepStrictEqual(canonical(one), canonical(mixed));
      }),
      { numRuns: 1_000 },
    );
  });

  test('has ten lines: no part can hold a line feed', () => {
    fc.assert(fc.property(drawn, (parts) => (signedText(parts) ?? '\n'.repeat(9)).split('\n').length === 10));
  });

  test.each(['\u0141'.repeat(16), 'a b', 'a\nb', 'a'.repeat(129), '\u00e9'.repeat(16), '\u007f'])(
    'does not exist for the idempotency key %j',
    (idempotencyKey) => {
      const [first] = vectors.ok;
      const token = parseAccessToken(first?.token ?? '') as AccessToken;
      expect(textOfSession(token, requestOf(first?.call as Call), idempotencyKey)).toBeUndefined();
      expect(sessionSigner(token, requestOf(first?.call as Call), idempotencyKey)).toBeUndefined();
    },
  );
});

test('signatures are compared in constant time, whatever signed', () => {
  expect(signaturesEqual.toString()).toContain('timingSafeEqual');
  expect(sessionSigner.toString()).toContain('signaturesEqual');
  expect(sessionSigner.toString()).not.toMatch(/signature\s*[!=]==?/);
});

describe('SIGNING_KEY_OLD', () => {
  test.each([
    ['one key', '0'.repeat(64), ''],
    ['two keys', `${'0'.repeat(64)},${'1'.repeat(64)}`, ''],
    ['three keys', new Array(3).fill('0'.repeat(64)).join(','), 'SIGNING_KEY_OLD must be at most 2 keys'],
    ['a short key', '0'.repeat(63), 'SIGNING_KEY_OLD must be 64 hex digits (32 bytes)'],
  ])('with %s is accepted or named in the error of the configuration', (_, value, problem) => {
    const before = process.env.SIGNING_KEY_OLD;
    process.env.SIGNING_KEY_OLD = value;
    let message = '';
    try {
      checkConfig();
    } catch (error) {
      message = (error as Error).message;
    }
    process.env.SIGNING_KEY_OLD = before;
    expect(message.includes('SIGNING_KEY_OLD')).toBe(problem !== '');
    expect(message).toContain(problem);
  });

  test('verifies with the newest key first, and makes no key', () => {
    process.env.SIGNING_KEY_OLD = `${'7'.repeat(64)},${vectors.SIGNING_KEY_OLD}`;
    const { call, token } = vectors.ok[5] as (typeof vectors)['ok'][number];
    expect(sessionSigner(parseAccessToken(token) as AccessToken, requestOf(call), '')).toBe('former');
    expect(sessionKeyUnder(currentSigningKey(), vectors.AppID, session)).toBe(key);
    process.env.SIGNING_KEY_OLD = '';
    expect(sessionSigner(parseAccessToken(token) as AccessToken, requestOf(call), '')).toBeUndefined();
    process.env.SIGNING_KEY_OLD = vectors.SIGNING_KEY_OLD;
  });
});
