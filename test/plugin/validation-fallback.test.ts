import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AuthenticationUnavailable, createPluginServer, type Validation } from '../../client/plugin-server.ts';
import { createMemoryStore, type TokenRecord } from '../../client/token-store.ts';
import { newToken, SECRET, START } from '../support/plugin-push.ts';

const ACTIVE = { active: true, userId: 'user-1', pluginId: 'weather', expiresAt: '2026-01-01T00:10:00Z' } as const;

function pluginServer(validate: (token: string) => Promise<Validation>) {
  const clock = { ms: START };
  const asked: string[] = [];
  const { authenticate } = createPluginServer({
    pluginId: 'weather',
    pushSecrets: [SECRET],
    now: () => clock.ms,
    validate(token) {
      asked.push(token);
      return validate(token);
    },
  });
  return { authenticate, asked, clock };
}

function record(name: string, state: TokenRecord['state'], version = 1): TokenRecord {
  const hash = createHash('sha256').update(name).digest('hex');
  return { hash, state, userId: 'user-1', expiresAtMs: START + 60_000, version };
}

describe('a token without a push', () => {
  it('causes one question to the backend, however many calls present it at once', async () => {
    const { authenticate, asked } = pluginServer(async () => ACTIVE);
    const token = newToken();
    const grants = await Promise.all(Array.from({ length: 50 }, () => authenticate(token)));
    expect(new Set(grants.map((grant) => grant?.userId))).toEqual(new Set(['user-1']));
    expect(asked).toEqual([token]);
  });

  it('causes another question after 30 seconds, so that a revocation is noticed', async () => {
    let answer: Validation = ACTIVE;
    const { authenticate, asked, clock } = pluginServer(async () => answer);
    const token = newToken();
    await authenticate(token);
    answer = { active: false };
    clock.ms += 29_999;
    expect(await authenticate(token)).not.toBeNull();
    clock.ms += 1;
    expect(await authenticate(token)).toBeNull();
    expect(asked).toHaveLength(2);
  });

  it('is refused after its own end, even while the answer is remembered', async () => {
    const { authenticate, clock } = pluginServer(async () => ({ ...ACTIVE, expiresAt: '2026-01-01T00:00:05Z' }));
    const token = newToken();
    expect(await authenticate(token)).not.toBeNull();
    clock.ms += 5_000;
    expect(await authenticate(token)).toBeNull();
  });

  it('is refused when it belongs to another plugin or user, has ended, or the answer is malformed', async () => {
    const odd = [
      { active: false },
      { ...ACTIVE, pluginId: 'maps' },
      { ...ACTIVE, userId: 'user-2' },
      { ...ACTIVE, expiresAt: '2025-12-31T23:59:59Z' },
      { ...ACTIVE, expiresAt: 'never' },
      { ...ACTIVE, active: 'true' },
    ] as Validation[];
    for (const answer of odd) {
      const { authenticate } = pluginServer(async () => answer);
      expect(await authenticate(newToken()), JSON.stringify(answer)).toBeNull();
    }
  });

  it('is not called invalid when the backend does not answer, and causes another question the next time', async () => {
    let broken = true;
    const { authenticate, asked } = pluginServer(async () => {
      if (broken) throw new Error('connect ECONNREFUSED');
      return ACTIVE;
    });
    const token = newToken();
    await expect(authenticate(token)).rejects.toThrow(AuthenticationUnavailable);
    broken = false;
    expect(await authenticate(token)).not.toBeNull();
    expect(asked).toHaveLength(2);
  });

  it('does not pass a flood on to the backend: at most 32 questions are open at once', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { authenticate, asked } = pluginServer(async () => {
      await gate;
      return { active: false };
    });
    const calls = Array.from({ length: 200 }, () => authenticate(newToken()));
    const settled = Promise.allSettled(calls);
    await new Promise(setImmediate);
    release();
    const rejected = (await settled).filter(({ status }) => status === 'rejected');
    expect([asked.length, rejected.length]).toEqual([32, 168]);
  });
});

describe('the memory store', () => {
  it('forgets a token at its end', async () => {
    const clock = { ms: START };
    const store = createMemoryStore({ now: () => clock.ms });
    const issued = record('a', 'issued');
    await store.put(issued);
    expect(await store.get(issued.hash)).toEqual(issued);
    clock.ms += 60_000;
    expect(await store.get(issued.hash)).toBeNull();
  });

  it('keeps the higher version of an issue and, above all, a revocation', async () => {
    const store = createMemoryStore({ now: () => START });
    const { hash } = record('a', 'issued');
    await store.put(record('a', 'issued', 2));
    await store.put(record('a', 'issued', 1));
    expect((await store.get(hash))?.version).toBe(2);
    await store.put(record('a', 'revoked', 1));
    await store.put(record('a', 'issued', 3));
    expect((await store.get(hash))?.state).toBe('revoked');
  });

  it('refuses new tokens when it is full, never drops a revocation, and has room again after tokens end', async () => {
    const clock = { ms: START };
    const store = createMemoryStore({ now: () => clock.ms, maxRecords: 2 });
    await store.put(record('a', 'revoked'));
    await store.put(record('b', 'issued'));
    await expect(store.put(record('c', 'issued'))).rejects.toThrow('full');
    await store.put(record('d', 'revoked'));
    expect((await store.get(record('a', 'revoked').hash))?.state).toBe('revoked');
    expect((await store.get(record('d', 'revoked').hash))?.state).toBe('revoked');
    expect(await store.get(record('b', 'issued').hash)).toBeNull();
    clock.ms += 60_000;
    const later = { ...record('e', 'issued'), expiresAtMs: clock.ms + 1 };
    await store.put(later);
    expect(await store.get(later.hash)).toEqual(later);
  });
});
