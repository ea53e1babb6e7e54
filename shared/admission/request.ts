import type { Key } from '../keys.ts';
import type { LockCall } from '../lock/api-lock.ts';

/** The facts of an access_token that admission needs. */
export interface TokenUse {
  appId: string;
  /** Which of the app's keys signed it. */
  keyId: string;
  /** Lower-case hex. */
  signature: string;
  nonce: string;
  /** Unix seconds. */
  timeStamp: number;
  /**
   * The token only names its app. Nothing in it can be repeated, so no window and no since mark applies, and a read leaves
   * no record. Another call has one under a signature made of its own id, so that it may repeat its admission.
   */
  unsigned?: boolean;
  /** v1 signatures are also recorded by nonce: v1 joins its parts without separators, so they are ambiguous. */
  version: 1 | 2;
}

/**
 * How the session of a call is checked. `check`: by its copy in Redis. `proven`: MySQL has just confirmed it; `fill` is
 * there if this request holds the leases of both keys.
 */
export type SessionCheck =
  | { mode: 'check'; sessionKey: Key; userKey: Key; idleMs: number; graceMs: number }
  | { mode: 'proven'; sessionKey: Key; userKey: Key; fill?: SessionFill };
/** The copy of the session and the user's version as they are written into Redis, with their TTLs in ms. */
export interface SessionFill {
  copy: string;
  copyMs: number;
  version: string;
  versionMs: number;
}

export interface CacheRead {
  key: Key;
  /** Existence filter: key of its shard, and the hashes of the id. */
  filter?: { key: Key; hashes: readonly number[] };
  /**
   * undefined: the script returns the value. apart: the value is big, so it is read by a GET after the script, in the
   * same request. plain: not a key of the cache; the value is returned as `<remaining life in ms>;<value>`, or '' if
   * the key is absent, and there is no lease. Its state is `none` if the filter calls the id absent. page, apart-page:
   * a page of a list, which counts only under its generation; the value is returned as `<number>;<age in ms>;<value>`.
   */
  kind?: 'apart' | 'plain' | 'page' | 'apart-page';
  /** Of a page. `drawn`: its number, if this request begins it. */
  generation?: { key: Key; drawn: string };
  /** Name for the hot keys: `<resource>:<id>` or `<resource>?list=<name>`. undefined: the read is never counted. */
  hot?: string;
}

export interface AdmissionRequest extends LockCall {
  /** Random: it holds the leases and the replay record. It is not the id of the answer, which the caller knows. */
  requestId: string;
  token: TokenUse;
  /**
   * All methods but GET. Such a call is refused at once if the app was disabled. After Redis was flushed it is refused
   * if its token was signed before.
   */
  unsafe: boolean;
  session?: SessionCheck;
  reads: readonly CacheRead[];
}
