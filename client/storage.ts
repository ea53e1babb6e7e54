// What outlives a call: the session token, and the keys of operations whose outcome is not known yet.
import { ApiError } from './api-error.ts';
import { bodySha256 } from './sign.ts';
import type { KeyValueStorage } from './transport.ts';

export function memoryStorage(): KeyValueStorage {
  const values = new Map<string, string>();
  return {
    get: (key) => values.get(key) ?? null,
    set: (key, value) => {
      values.set(key, value);
    },
    remove: (key) => {
      values.delete(key);
    },
  };
}

export interface SessionStore {
  /** null when nobody is logged in. */
  current(): string | null;
  keep(token: string): void;
  /** Forgets this very token: a late refusal of an old session must not end the one that followed it. */
  forget(token: string): void;
}

export function sessionStore(storage: KeyValueStorage, appId: string): SessionStore {
  const key = `miniapp:${appId}:session`;
  return {
    current: () => storage.get(key),
    keep: (token) => storage.set(key, token),
    forget: (token) => {
      if (storage.get(key) === token) storage.remove(key);
    },
  };
}

export interface HeldKey {
  key: string;
  /** True when an earlier try left it, whose outcome is not known. */
  resumed: boolean;
  /** Call it once the outcome is definitive; the next operation then draws a new key. */
  settle(): void;
}

/**
 * One idempotency key per operation and user, kept until its outcome is known: a lost answer, a killed mini-program
 * or a second tap repeats the same operation instead of starting another.
 */
export type KeyHolder = (operation: string, body: string) => Promise<HeldKey>;

export function keyHolder(
  storage: KeyValueStorage,
  appId: string,
  sessionToken: () => string | null,
  mintKey: () => Promise<string>,
): KeyHolder {
  return async (operation, body) => {
    const token = sessionToken();
    if (token === null) throw new ApiError({ status: 401, code: 'LOGIN_REQUIRED', detail: 'log in first' });
    // The user's id is in the token, so that two users of one phone never meet each other's keys.
    const slot = `miniapp:${appId}:${operation}:${token.split('.')[1]}:${bodySha256(body).slice(0, 32)}`;
    const minted = await mintKey();
    // Looked up after the wait and written at once, so that two taps cannot both find the slot empty.
    const held = storage.get(slot);
    const key = held ?? minted;
    if (held === null) storage.set(slot, key);
    const settle = (): void => {
      if (storage.get(slot) === key) storage.remove(slot);
    };
    return { key, resumed: held !== null, settle };
  };
}
