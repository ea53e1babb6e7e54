import { describe, expect, it } from 'vitest';
import { signV3 } from '../../client/miniapp-client.ts';
import { namedToken, sessionStringToSign } from '../../client/session-token.ts';
import { judge, sessionKey } from '../support/session-token-rules.ts';
import { sessionVectors } from '../support/session-vectors.ts';

const vectors = sessionVectors;
const { session } = vectors;
const bodyHash = async (body: string): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(body))).toString('hex');

describe('the SDK signs the published examples of v3', () => {
  it.each(vectors.ok)('$name: text, signature and token are equal in every byte', ({ call, toSign, token, name }) => {
    const timeStamp = /"timeStamp":"(\d{10})"/.exec(Buffer.from(token, 'base64').toString())?.[1] ?? '';
    const [appId, nonce] = [vectors.AppID, '4f9d2c7be01a8356c4d1e2f3a4b5c6d7'];
    const key = name.includes('SIGNING_KEY_OLD') ? session.keyUnderOld : session.key;
    const { method: httpMethod, path, query, idempotencyKey, body } = call;
    const input = { appId, session: session.session, timeStamp, nonce, httpMethod, path, query, idempotencyKey, body };
    expect(sessionStringToSign(input)).toBe(toSign);
    expect(signV3({ ...input, key })).toBe(token);
  });

  it('names an app in the one accepted spelling', () => {
    const named = vectors.judged.find(({ verdict }) => verdict === 'named');
    expect(namedToken(vectors.AppID)).toBe(named?.token);
  });

  it.each(['Ł'.repeat(16), 'a b', 'a\n', 'k'.repeat(129)])('does not sign the idempotency key %j', (idempotencyKey) => {
    const identity = { appId: 'a', session: session.session, key: session.key, timeStamp: '1767225600', nonce: 'n' };
    expect(() => signV3({ ...identity, httpMethod: 'POST', path: '/x', idempotencyKey })).toThrow(TypeError);
  });
});

describe('the server of these tests', () => {
  it('makes the published key of a session', () => {
    expect(sessionKey(vectors.SIGNING_KEY, vectors.AppID, session.session)).toBe(session.key);
  });

  it.each(vectors.judged)('judges as published: $name', async ({ token, call, verdict }) => {
    const { method, path, query, idempotencyKey, body } = call;
    const headers = {
      'access-token': token,
      ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
      ...(body && { 'x-content-sha256': await bodyHash(body) }),
    };
    const keys = [vectors.SIGNING_KEY, vectors.SIGNING_KEY_OLD];
    const judged = judge({ method, path, query, headers }, keys, vectors.now);
    const found = judged === null ? 'refused' : judged.proof === 'named' ? 'named' : `session ${judged.session}`;
    expect(found).toBe(verdict === 'not-v3' ? 'refused' : verdict);
  });
});
