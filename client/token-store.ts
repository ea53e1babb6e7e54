/** The record of one token. The token itself is never stored, only `hash`, the hex SHA-256 of the whole token. */
export interface TokenRecord {
  hash: string;
  state: 'issued' | 'revoked';
  userId: string;
  expiresAtMs: number;
  version: number;
}

/** The store of the records. All instances of a plugin server must share one: a push reaches only one instance. */
export interface TokenStore {
  /** Keeps the record until `expiresAtMs`. It does not replace `revoked` by `issued`, or a version by a lower one. */
  put(record: TokenRecord): Promise<void>;
  /** null: there is no record of this token, or it has ended. */
  get(hash: string): Promise<TokenRecord | null>;
}

/** Keeps records in this process. When it is full, new tokens are refused; a revocation replaces a live token. */
export function createMemoryStore({ now = Date.now, maxRecords = 100_000 } = {}): TokenStore {
  const records = new Map<string, TokenRecord>();
  let nextEndMs = 0;

  function makeRoomFor(record: TokenRecord) {
    if (records.size < maxRecords) return;
    if (nextEndMs <= now()) {
      nextEndMs = Number.POSITIVE_INFINITY;
      for (const { hash, expiresAtMs } of records.values()) {
        if (expiresAtMs <= now()) records.delete(hash);
        else nextEndMs = Math.min(nextEndMs, expiresAtMs);
      }
      if (records.size < maxRecords) return;
    }
    if (record.state === 'revoked') {
      for (const { hash, state } of records.values()) if (state === 'issued') return void records.delete(hash);
    }
    throw new RangeError('the token store is full');
  }

  return {
    async put(record) {
      const known = records.get(record.hash);
      if (known === undefined) makeRoomFor(record);
      else if (known.state === 'revoked') return;
      else if (record.state === 'issued' && record.version <= known.version) return;
      nextEndMs = Math.min(nextEndMs, record.expiresAtMs);
      records.set(record.hash, record);
    },
    async get(hash) {
      const record = records.get(hash);
      if (record === undefined) return null;
      if (record.expiresAtMs > now()) return record;
      records.delete(hash);
      return null;
    },
  };
}
