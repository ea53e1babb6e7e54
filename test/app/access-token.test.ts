import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AccessToken, parseAccessToken } from '../../shared/app/access-token.ts';
import { canonicalQuery, decodePath, partsToSign } from '../../shared/app/signature.ts';
import { expectedSignature } from '../support/expected-signature.ts';

interface Vectors {
  AppID: string;
  privateKey: string;
  timeStamp: string;
  nonce: string;
  v1: Array<{ signatureMethod: 'SHA1' | 'MD5'; signature: string; token: string }>;
  v2: Array<{ method: string; path: string; query: string; body: string; signature: string }>;
}
const vectors = JSON.parse(readFileSync('test/support/vectors/access-token.json', 'utf8')) as Vectors;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const NO_REQUEST = { method: 'GET', path: '/', rawQuery: '', bodySha256: sha256('') };

const members = {
  signatureMethod: 'SHA1',
  AppID: 'app-1',
  timeStamp: '1767225600',
  nonce: '4f9d2c7be01a8356',
  signature: 'd502a6398cf6217e5a92a48f6057df901ff369a5',
};
const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');
const withMember = (name: string, value: unknown): string => encode({ ...members, [name]: value });

describe('known signatures that were computed outside the project', () => {
  test.each(vectors.v1)(
    'v1 $signatureMethod: the token is parsed, and its signature is computed again',
    ({ token, signature }) => {
      const parsed = parseAccessToken(token) as AccessToken;
      expect(parsed).toMatchObject({
        appId: vectors.AppID,
        timeStamp: vectors.timeStamp,
        nonce: vectors.nonce,
        signature,
      });
      expect(expectedSignature(parsed, vectors.privateKey, NO_REQUEST)).toBe(signature);
    },
  );

  test.each(vectors.v2)(
    'v2: the signature of $method $path?$query is computed again',
    ({ method, path, query, body, signature }) => {
      const token: AccessToken = {
        signatureMethod: 'HMAC-SHA256',
        appId: vectors.AppID,
        session: '',
        timeStamp: vectors.timeStamp,
        nonce: vectors.nonce,
        signature,
      };
      const request = { method, path, rawQuery: query, bodySha256: sha256(body) };
      expect(expectedSignature(token, vectors.privateKey, request)).toBe(signature);
    },
  );
});

describe('the parser', () => {
  test('accepts timeStamp as string or integer, upper-case hex, white space, and members in any order', () => {
    expect(parseAccessToken(encode(members))).toMatchObject({ appId: 'app-1', timeStamp: '1767225600' });
    expect(parseAccessToken(withMember('timeStamp', 1767225600))).toMatchObject({ timeStamp: '1767225600' });
    const upper = parseAccessToken(withMember('signature', members.signature.toUpperCase()));
    expect(upper).toMatchObject({ signature: members.signature });
    const reversed = Object.fromEntries(Object.entries(members).reverse());
    expect(parseAccessToken(encode(JSON.stringify(reversed, null, 2)))).toMatchObject({ appId: 'app-1' });
  });

  const full = encode(members);
  const padded = ['a', 'ab', 'abc'].map((id) => withMember('AppID', id)).find((token) => token.endsWith('=')) ?? '';
  test.each<[string, string, string]>([
    ['empty', '', 'size'],
    ['longer than 2048', 'A'.repeat(2052), 'size'],
    ['base64url letters', encode(members).replace(/[A-Z]/, '-'), 'charset'],
    ['a space', ` ${full}`, 'charset'],
    ['a line feed', `${full}\n`, 'charset'],
    ['two tokens joined by a comma', `${full},${full}`, 'charset'],
    ['a Bearer prefix', `Bearer ${full}`, 'charset'],
    ['missing padding', padded.replace(/=+$/, ''), 'base64'],
    ['junk padding', `${full.replace(/=*$/, '')}==`, 'base64'],
    ['bytes that are not UTF-8', Buffer.from([0xff, 0xfe, 0x7b]).toString('base64'), 'utf8'],
    ['a byte order mark', encode(`\ufeff${JSON.stringify(members)}`), 'json'],
    ['UTF-16', Buffer.from(JSON.stringify(members), 'utf16le').toString('base64'), 'json'],
    ['an array', encode([members]), 'json'],
    ['null', encode('null'), 'json'],
    ['deep nesting', encode('['.repeat(1500)), 'json'],
    ['trailing JSON', encode(`${JSON.stringify(members)}{}`), 'json'],
    ['a trailing comma', encode(JSON.stringify(members).replace('}', ',}')), 'json'],
    ['a missing member', encode({ ...members, nonce: undefined }), 'json'],
    ['a sixth member', encode({ ...members, extra: 'x' }), 'json'],
    ['a __proto__ member', encode(JSON.stringify(members).replace('"nonce"', '"__proto__"')), 'json'],
    ['a member in other case', encode(JSON.stringify(members).replace('"AppID"', '"appid"')), 'json'],
    ['a duplicate member', encode(JSON.stringify(members).replace('{', '{"nonce":"aaaaaaaaaaaaaaaa",')), 'json'],
    ['a duplicate by escape', encode(JSON.stringify(members).replace('"nonce"', '"\\u006eonce"')), 'json'],
    ['an escaped value', encode(JSON.stringify(members).replace('app-1', 'app\\u002d1')), 'json'],
    ['an unknown method', withMember('signatureMethod', 'SHA256'), 'form'],
    ['a method in lower case', withMember('signatureMethod', 'sha1'), 'form'],
    ['method None', withMember('signatureMethod', 'None'), 'form'],
    ['method __proto__', withMember('signatureMethod', '__proto__'), 'form'],
    ['a method with a space', withMember('signatureMethod', 'SHA1 '), 'form'],
    ['SHA1 hex relabelled HMAC-SHA256', withMember('signatureMethod', 'HMAC-SHA256'), 'form'],
    ['an AppID with a colon', withMember('AppID', 'a:b'), 'form'],
    ['an empty AppID', withMember('AppID', ''), 'form'],
    ['a number as AppID', withMember('AppID', 1767225600), 'form'],
    ['an AppID of 65', withMember('AppID', 'a'.repeat(65)), 'form'],
    ['milliseconds', withMember('timeStamp', '1767225600000'), 'form'],
    ['a sign', withMember('timeStamp', '+176722560'), 'form'],
    ['NaN', withMember('timeStamp', 'NaN'), 'form'],
    ['full-width digits', withMember('timeStamp', '１７６７２２５６００'), 'form'],
    ['an exponent', withMember('timeStamp', '1.76722e9'), 'form'],
    ['a fraction', encode(JSON.stringify(members).replace('"1767225600"', '1767225600.5')), 'json'],
    ['a boolean', withMember('timeStamp', true), 'json'],
    ['an object', withMember('nonce', { toString: 1 }), 'json'],
    ['an array as signature', withMember('signature', [members.signature]), 'json'],
    ['a nonce of 15', withMember('nonce', 'a'.repeat(15)), 'form'],
    ['a nonce of 65', withMember('nonce', 'a'.repeat(65)), 'form'],
    ['a nonce that ends in a time', withMember('nonce', 'a8f31c1767225899'), 'ambiguous-nonce'],
    ['a nonce that begins with a time', withMember('nonce', '1767225899a8f31c'), 'ambiguous-nonce'],
    ['an empty signature', withMember('signature', ''), 'form'],
    ['a signature of 39 digits', withMember('signature', members.signature.slice(1)), 'form'],
    ['a signature of 41 digits', withMember('signature', `${members.signature}0`), 'form'],
    ['a signature that is not hex', withMember('signature', 'z'.repeat(40)), 'form'],
  ])('refuses %s', (_, token, reason) => {
    expect(parseAccessToken(token)).toBe(reason);
  });

  test('accepts a nonce whose digits are not a time near the timeStamp', () => {
    expect(parseAccessToken(withMember('nonce', 'abcdef0000000001'))).toMatchObject({ nonce: 'abcdef0000000001' });
  });

  test('returns a token or a reason for any text, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.base64String(), fc.json().map(encode)), (text) => {
        const parsed = parseAccessToken(text);
        return typeof parsed === 'string' || parsed.signatureMethod === 'NAMED' || parsed.signature.length >= 32;
      }),
      { numRuns: 3_000 },
    );
  });

  test('a token with one changed character is refused or parsed as another token', () => {
    fc.assert(
      fc.property(fc.nat(full.length - 1), fc.constantFrom(...'ABCxyz019+/='), (at, char) => {
        const changed = full.slice(0, at) + char + full.slice(at + 1);
        const parsed = parseAccessToken(changed);
        return changed === full || typeof parsed === 'string' || encode(parsed) !== encode(parseAccessToken(full));
      }),
    );
  });
});

describe('a v2 signature', () => {
  test('is the HMAC-SHA256 of RFC 2104 for any key and call', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
        fc.webPath(),
        (key, appId, path) => {
          const wellFormed = Buffer.from(key).toString();
          const token = {
            ...(parseAccessToken(encode(members)) as AccessToken),
            appId,
            signatureMethod: 'HMAC-SHA256' as const,
          };
          const request = { ...NO_REQUEST, path: `/${path.replaceAll('%', '')}` };
          const parts = partsToSign(token, request) ?? [];
          const derived = createHmac('sha256', wellFormed).update(`MPC2\n${appId}`).digest();
          const wanted = createHmac('sha256', derived).update(parts.join('\n')).digest('hex');
          expect(expectedSignature(token, wellFormed, request)).toBe(wanted);
        },
      ),
    );
  });

  test.each(['', 'E3B0', 'x'.repeat(64), `${'0'.repeat(63)}\u0130`, '0'.repeat(63)])(
    'is not computed over a malformed body hash %j',
    (bodySha256) => {
      const token = { ...(parseAccessToken(encode(members)) as AccessToken), signatureMethod: 'HMAC-SHA256' as const };
      expect(partsToSign(token, { ...NO_REQUEST, bodySha256 })).toBeUndefined();
    },
  );
});

test('the order of members and white space do not change how a token is parsed', () => {
  const member = fc.oneof(
    fc.constantFrom(...Object.values(members), '0'.repeat(64), '1767225600', ''),
    fc.stringMatching(/^[A-Za-z0-9_-]{1,70}$/),
  );
  fc.assert(
    fc.property(
      fc.tuple(member, member, member, member, member),
      fc.nat(31),
      ([method, AppID, timeStamp, nonce, signature], kept) => {
        const drawn = { signatureMethod: method, AppID, timeStamp, nonce, signature };
        const names = Object.keys(members) as Array<keyof typeof members>;
        // A good token with some members replaced.
        const token = Object.fromEntries(names.map((name, i) => [name, kept & (1 << i) ? members[name] : drawn[name]]));
        const usual = parseAccessToken(encode(token));
        expect(parseAccessToken(encode(JSON.stringify(token, null, 1)))).toEqual(usual);
        expect(parseAccessToken(encode(Object.fromEntries(Object.entries(token).reverse())))).toEqual(usual);
      },
    ),
    { numRuns: 2_000 },
  );
});

describe('the signed path and query', () => {
  test.each(['/a%2Fb', '/a?b', '/a#b', '/a\\b', '/a\u0000', '/a\u007f', 'a', '', '/a\ufffd'])(
    'refuses the path %j',
    (path) => {
      expect(decodePath(path)).toBeUndefined();
    },
  );

  test.each(['a=%', 'a=%G1', '%E4%B8=1', 'a=%80'])('refuses the query %j with a malformed escape', (query) => {
    expect(canonicalQuery(query)).toBeUndefined();
  });

  test('a path with a lone surrogate is refused, and no other text is signed instead', () => {
    const token = parseAccessToken(encode(members)) as AccessToken;
    const v2 = { ...token, signatureMethod: 'HMAC-SHA256' as const };
    expect(expectedSignature(v2, 'key', { ...NO_REQUEST, path: '/a\ud800' })).toBeUndefined();
  });

  test('each of method, path, query, body, time, nonce and AppID changes the v2 signature', () => {
    const token: AccessToken = {
      ...(parseAccessToken(encode(members)) as AccessToken),
      signatureMethod: 'HMAC-SHA256',
    };
    const request = { method: 'POST', path: '/recharge', rawQuery: 'a=1', bodySha256: sha256('{}') };
    const signatures = [
      expectedSignature(token, 'key', request),
      expectedSignature(token, 'other', request),
      expectedSignature({ ...token, nonce: 'aaaaaaaaaaaaaaaa' }, 'key', request),
      expectedSignature({ ...token, timeStamp: '1767225601' }, 'key', request),
      expectedSignature({ ...token, appId: 'app-2' }, 'key', request),
      expectedSignature(token, 'key', { ...request, method: 'PUT' }),
      expectedSignature(token, 'key', { ...request, path: '/recharge/' }),
      expectedSignature(token, 'key', { ...request, rawQuery: 'a=2' }),
      expectedSignature(token, 'key', { ...request, bodySha256: sha256('{ }') }),
    ];
    expect(new Set(signatures).size).toBe(signatures.length);
  });
});
