// State that is kept after a call: the device mark, and the keys of operations whose outcome is unknown.
import { ApiError, throwPlatform } from './api-error.ts';
import type { Keep } from './keep.ts';
import { bodySha256 } from './sign.ts';
import type { KeyValueStorage } from './transport.ts';

export function memoryStorage(): KeyValueStorage {
  const values = new Map<string, string>();
  return {
    get: (key) => values.get(key) || null,
    set: (key, value) => {
      values.set(key, value);
    },
    remove: (key) => {
      values.delete(key);
    },
  };
}

/** A synchronous storage, for the session tokens of v2. */
export function storageKeep(storage: KeyValueStorage, key: string): Keep {
  return {
    load: async () => storage.get(key),
    save: async (text) => (text === null ? storage.remove(key) : storage.set(key, text)),
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
  let latest: string | null = null;
  return {
    current: () => latest || attempt(() => storage.get(key)) || null,
    keep: (mark) => {
      latest = mark;
      attempt(() => storage.set(key, mark));
    },
  };
}

/** undefined: the platform's storage failed, which must not fail the call. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

export interface HeldKey {
  key: string;
  /** Whose operation it is. */
  userId: string;
  /** True: an earlier try left the key, and its outcome is unknown. */
  resumed: boolean;
  /** Call it when the outcome is definitive. The next operation then gets a new key. */
  settle(): void;
}

/**
 * One idempotency key for each operation and user, kept until the outcome is known. After a lost answer, a stopped
 * mini-program or a second tap, the same operation is repeated and no other one is started. `named`: the user for whom a
 * server app acts. Default: the user who is logged in.
 */
export type KeyHolder = (operation: string, body: string, named?: string) => Promise<HeldKey>;

// After these refusals the outcome is known. After all others an earlier try may still have taken effect.
const DEFINITIVE = /^(INVALID_INPUT|INSUFFICIENT_BALANCE|QUOTA_REACHED|IDEMPOTENCY_KEY_REUSED)$/;

/** A key belongs to its user: the call is not sent as another one. */
export async function underKey<T>(held: HeldKey, call: (own: object) => Promise<T>): Promise<T> {
  try {
    return await call({ idempotencyKey: held.key, as: held });
  } catch (error) {
    if (error instanceof ApiError && DEFINITIVE.test(error.code)) held.settle();
    throw error;
  }
}

export function keyHolder(
  storage: KeyValueStorage,
  appId: string,
  userId: () => Promise<string>,
  mintKey: () => Promise<string>,
): KeyHolder {
  return async (operation, body, named) => {
    // The user's id, so that two users of one phone have different keys.
    const user = named || (await userId());
    const slot = `miniapp:${appId}:${operation}:${user}:${bodySha256(body).slice(0, 32)}`;
    const minted = await mintKey();
    try {
      // Read after the waits and written at once, so that two taps cannot both find an empty slot.
      const held = storage.get(slot);
      const key = held || minted;
      if (!held) storage.set(slot, key);
      const settle = (): void => {
        attempt(() => storage.get(slot) === key && storage.remove(slot));
      };
      return { key, userId: user, resumed: Boolean(held), settle };
    } catch (failure) {
      // Without its key, a lost answer and a restart would become a second purchase. So the call is not sent.
      return throwPlatform(failure);
    }
  };
}
