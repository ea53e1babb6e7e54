import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { channelDigest } from '../../client/channel-digest.ts';
import { freshNonce } from '../../client/random.ts';
import {
  bodySha256,
  canonicalPath,
  canonicalQuery,
  queryPairs,
  signV1,
  signV2,
  stringToSign,
} from '../../client/sign.ts';
import { parseAccessToken } from '../../shared/app/access-token.ts';
import { expectedSignature } from '../support/expected-signature.ts';

interface Vectors {
  AppID: string;
  privateKey: string;
  timeStamp: string;
  nonce: string;
  v1: { signatureMethod: 'SHA1' | 'MD5'; signature: string; token: string }[];
  v2: { method: string; path: string; query: string; body: string; toSign: string; signature: string }[];
}
const vectors = JSON.parse(
  readFileSync(new URL('../support/vectors/access-token.json', import.meta.url), 'utf8'),
) as Vectors;
const identity = {
  appId: vectors.AppID,
  privateKey: vectors.privateKey,
  timeStamp: vectors.timeStamp,
  nonce: vectors.nonce,
};
const read = (token: string) => JSON.parse(Buffer.from(token, 'base64').toString('utf8')) as Record<string, unknown>;

describe('the SDK signs the published examples', () => {
  it.each(vectors.v1)('v1 $signatureMethod: the token is equal in every byte', ({ signatureMethod, token }) => {
    expect(signV1({ ...identity, method: signatureMethod })).toBe(token);
    expect(signV1({ ...identity, timeStamp: Number(identity.timeStamp), method: signatureMethod })).toBe(token);
  });

  it.each(vectors.v2)('v2 $method $path?$query: the text to sign and the signature are equal', (vector) => {
    const call = { ...identity, httpMethod: vector.method, path: vector.path, query: vector.query, body: vector.body };
    expect(stringToSign(call)).toBe(vector.toSign);
    expect(read(signV2(call))).toEqual({
      signatureMethod: 'HMAC-SHA256',
      AppID: vectors.AppID,
      timeStamp: vectors.timeStamp,
      nonce: vectors.nonce,
      signature: vector.signature,
    });
  });
});

describe('the server', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 8 });
  const nonce = fc.stringMatching(/^[a-f]{16}[0-9a-f]{8}[a-f]{8}$/);

  it('accepts the v2 signatures of the SDK for any path, query and body', () => {
    const part = text.filter((value) => !/[%?#\\/\ufffd]|^\.\.?$/.test(value));
    const query = fc.array(fc.tuple(text, text), { maxLength: 4 }).map(canonicalQuery);
    fc.assert(
      fc.property(fc.array(part, { minLength: 1 }), query, text, nonce, (parts, rawQuery, body, drawn) => {
        const path = `/${parts.join('/')}`;
        const call = { ...identity, nonce: drawn, httpMethod: 'PUT', path, query: rawQuery, body };
        const token = parseAccessToken(signV2(call));
        if (typeof token === 'string') throw new Error(token);
        const request = { method: 'PUT', path, rawQuery, bodySha256: bodySha256(body) };
        expect(expectedSignature(token, identity.privateKey, request)).toBe(token.signature);
      }),
    );
  });

  it.each(['SHA1', 'MD5'] as const)('accepts the v1 signatures of the SDK with %s for any key', (method) => {
    fc.assert(
      fc.property(text, nonce, (privateKey, drawn) => {
        const token = parseAccessToken(signV1({ ...identity, privateKey, nonce: drawn, method }));
        if (typeof token === 'string') throw new Error(token);
        const request = { method: 'GET', path: '/', rawQuery: '', bodySha256: '' };
        expect(expectedSignature(token, privateKey, request)).toBe(token.signature);
      }),
    );
  });
});

describe('a v1 signature', () => {
  it('sorts its parts by UTF-8 bytes, not by UTF-16 units', () => {
    const appId = '\uff61';
    const privateKey = '😀';
    const { timeStamp, nonce } = identity;
    const joined = [appId, timeStamp, nonce, privateKey].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect([appId, privateKey].sort()).toEqual([privateKey, appId]);
    expect(read(signV1({ appId, privateKey, timeStamp, nonce, method: 'SHA1' })).signature).toBe(
      createHash('sha1').update(joined.join(''), 'utf8').digest('hex'),
    );
  });
});

describe('the canonical form', () => {
  it('of a query does not depend on the order or the encoding of its parts', () => {
    const pair = fc.tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const canonical = canonicalQuery(pairs);
        expect(canonicalQuery([...pairs].reverse())).toBe(canonical);
        expect(canonicalQuery(queryPairs(canonical))).toBe(canonical);
        expect(canonicalQuery(queryPairs(canonical.replace(/%20/g, '+')))).toBe(canonical);
        expect([...new URLSearchParams(canonical)]).toHaveLength(pairs.length);
      }),
    );
  });

  it('of a raw query is parsed as by URLSearchParams', () => {
    const piece = fc.constantFrom('a', 'B', '=', '&', '+', '%20', '%2B', '%26', '%E4%B8%AD', 'é', '~', '!', '*', '(');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const query = pieces.join('');
        expect(queryPairs(query)).toEqual([...new URLSearchParams(query)]);
      }),
      { numRuns: 500 },
    );
  });

  it('sorts encoded names by bytes: % before letters, upper case before lower case', () => {
    expect(canonicalQuery(queryPairs('b=1&a=2&B=3&%E4%B8%AD=4&a=10&~=5'))).toBe('%E4%B8%AD=4&B=3&a=10&a=2&b=1&~=5');
  });

  it('refuses a malformed escape', () => {
    for (const query of ['a=%', 'a=%zz', '%E4=1', 'a=%ff']) expect(() => queryPairs(query)).toThrow(URIError);
  });

  it('refuses paths that the server refuses or that a URL parser rewrites', () => {
    for (const path of ['data', '/a%20b', '/a?b', '/a#b', '/a\\b', '/a\nb', '/a/../b', '/./a', '/\ufffd', '/\ud800'])
      expect(() => canonicalPath(path)).toThrow();
  });
});

describe('a nonce', () => {
  it('has 32 hex characters and never begins or ends with ten digits', async () => {
    const draws = [
      '17672256001234567890abcdefabcdef',
      'abcdefabcdefabcdefabcd1767225600',
      '4f9d2c7be01a8356c4d1e2f3a4b5c6d7',
    ];
    const nonce = await freshNonce(() => Buffer.from(draws.shift() ?? '', 'hex'));
    expect(nonce).toBe('4f9d2c7be01a8356c4d1e2f3a4b5c6d7');
  });

  it('is not made from a random source that repeats itself or returns too few bytes', async () => {
    await expect(freshNonce(() => new Uint8Array(16))).rejects.toThrow('repeats itself');
    await expect(freshNonce(() => new Uint8Array(4))).rejects.toThrow('16 bytes');
  });
});

describe('the channel digest', () => {
  it('is the MD5 of address, first string and time, or an HMAC of them', () => {
    expect(channelDigest('MD5', 'addr', 'first', '1767225600')).toBe(
      createHash('md5').update('addrfirst1767225600').digest('hex'),
    );
    expect(channelDigest('HMAC-SHA256', 'addr', 'first', '1767225600')).toMatch(/^[0-9a-f]{64}$/);
  });
});
