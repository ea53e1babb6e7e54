// State that is kept after a call: the session token, and the keys of operations whose outcome is unknown.
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
  /** null: nobody is logged in. */
  current(): string | null;
  keep(token: string): void;
  /** Forgets only this token: a late refusal of an old session must not end the new session. */
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

export interface DeviceMarkStore {
  /** null: no login on this device gave one yet. */
  current(): string | null;
  keep(mark: string): void;
}

/** The mark stays after a logout: it says that the device is known, and gives no access. */
export function deviceMarkStore(storage: KeyValueStorage, appId: string): DeviceMarkStore {
  const key = `miniapp:${appId}:device`;
  return { current: () => storage.get(key), keep: (mark) => storage.set(key, mark) };
}

export interface HeldKey {
  key: string;
  /** True: an earlier try left the key, and its outcome is unknown. */
  resumed: boolean;
  /** Call it when the outcome is definitive. The next operation then gets a new key. */
  settle(): void;
}

/**
 * One idempotency key for each operation and user, kept until the outcome is known. After a lost answer, a stopped
 * mini-program or a second tap, the same operation is repeated and no other one is started.
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
    // The token contains the user's id, so two users of one phone have different keys.
    const slot = `miniapp:${appId}:${operation}:${token.split('.')[1]}:${bodySha256(body).slice(0, 32)}`;
    const minted = await mintKey();
    // Read after the wait and written at once, so that two taps cannot both find an empty slot.
    const held = storage.get(slot);
    const key = held ?? minted;
    if (held === null) storage.set(slot, key);
    const settle = (): void => {
      if (storage.get(slot) === key) storage.remove(slot);
    };
    return { key, resumed: held !== null, settle };
  };
}
