import type { Key } from '../keys.ts';
import type { LockCall } from '../lock/api-lock.ts';

/** What a call shows to admission. */
interface TokenUse {
  appId: string;
  /** Which of the app's keys signed it. */
  keyId: string;
  /** Lower-case hex. */
  signature: string;
  nonce: string;
  /** Unix seconds. */
  timeStamp: number;
  /** v1 signatures are recorded by nonce too: they can be read in two ways. */
  version: 1 | 2;
}

/** How the session of a call is to be judged: by its copy in Redis, or as MySQL has just proven it. */
export type SessionCheck =
  | { mode: 'check'; sessionKey: Key; userKey: Key; idleMs: number; graceMs: number }
  | { mode: 'proven'; sessionKey: Key; userKey: Key; fill?: SessionFill };
export interface SessionFill {
  copy: string;
  copyMs: number;
  version: string;
  versionMs: number;
}

export interface CacheRead {
  key: Key;
  /** Existence filter: its key and the hashes that it must hold; absent or unfinished filters say nothing. */
  filter?: { key: Key; hashes: readonly number[] };
  /**
   * apart: the value is big and is fetched beside the script, in the same request. plain: no cache key, handed over as
   * it is, `<life left in ms>;<value>` or '' when absent; nothing is leased.
   */
  kind?: 'apart' | 'plain';
  /** Name under which a sampled hit counts towards the hot keys. */
  hot?: string;
}

export interface AdmissionRequest extends LockCall {
  token: TokenUse;
  /** All but GET: refused for a switched-off app at once, and after a flush for tokens stamped before it. */
  unsafe: boolean;
  session?: SessionCheck;
  reads: readonly CacheRead[];
}
