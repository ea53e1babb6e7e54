import { layout } from '../layout.ts';

/**
 * What pack.ts sends to the admission script, and what the script answers, by name. The sections have the order in
 * which the script takes them. lock/script.ts has those of the lock.
 */

/** `strings`: how many keys are read by one MGET. The other keys follow them. */
export const CALL = layout({ strings: 'number', id: 'text' });

/**
 * `signed`: false for a named token, which has no time of its own. `idInRecord`: of the request. `nonceToo`: a v1 token is
 * recorded by signature and by nonce.
 */
export const TOKEN = layout({
  since: 'key',
  stamp: 'number',
  unsafe: 'flag',
  signed: 'flag',
  idInRecord: 'text',
  nonceToo: 'flag',
  formerRecords: 'number',
});
/** `endsAt`: Unix seconds. */
export const SIGNATURE = layout({ bucket: 'other', field: 'text', endsAt: 'number' });
export const NONCE = layout({
  epoch: 'other',
  earlier: 'other',
  later: 'other',
  member: 'text',
  epochEndsAt: 'number',
});
/** For each record in the form before buckets. */
export const FORMER = layout({ former: 'key' });

/** `mode`: as in SessionCheck, '' without a session. The rest follows by mode. */
export const SESSION = layout({ mode: 'text' });
export const SESSION_KEYS = layout({ session: 'key', user: 'key' });
export const CHECK = layout({ idleMs: 'number', graceMs: 'number', sessionLeaseMs: 'number' });
export const PROVEN = layout({ fills: 'flag' });
export const SESSION_FILL = layout({ copy: 'text', copyMs: 'text', version: 'text', versionMs: 'text' });

/** Only for unsafe calls. */
export const APP = layout({ off: 'key', keyId: 'text' });

export const READS = layout({ early: 'number', leaseMs: 'number', readCount: 'number' });
/** For each read. `hashes`: of its id, for the existence filter; '' without a filter. */
export const READ = layout({ kind: 'text', hashes: 'text' });
/** Follows a read of kind `apart` or `apart-page`. Only the head of its value is read in the script. */
export const APART_READ = layout({ read: 'other' });
/** Follows a read of another kind. */
export const STRING_READ = layout({ read: 'key' });
/** Follows a read of a page, of either kind. `drawn`: the number of the generation if this request begins it. */
export const PAGE = layout({ generation: 'key', drawn: 'text' });
/** Follows a read with hashes. */
export const FILTER = layout({ filter: 'other' });

/** `hotPlace`: the place of the read that is counted for the hot keys, from 1; 0: none. */
export const HOT = layout({ hotPlace: 'number' });
/** Follows a place that is not 0. `hotName`: the name of the read in the table. */
export const HOT_READ = layout({ hot: 'other', hotName: 'text' });

/**
 * Answers: a verdict, then Redis' time in Unix milliseconds, then these fields. Only the verdict `policy` has no time.
 * `young`: records in the form before buckets may still be alive.
 */
export const ADMITTED = layout({ young: 'flag', shownSession: 'text', extended: 'flag', shadows: 'text' });
export const ABSENT = layout({ state: 'text' });
export const LOCKED = layout({ refused: 'number', refusedMs: 'number' });
/** For each read, after the fields of `admitted`. */
export const READ_ANSWER = layout({ state: 'text', stored: 'text' });
