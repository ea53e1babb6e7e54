import { drawEarliness, LEASE_MS } from '../cache/cache.ts';
import { anyHotKey, HOT_SAMPLE } from '../cache/hot-keys.ts';
import type { Key } from '../keys.ts';
import { nothingPacked, type Packed } from '../layout.ts';
import type { ApiLock } from '../lock/api-lock.ts';
import { appOffKey } from './app-off.ts';
import { nonceKey, nonceRecord, recordId, signatureKey, signatureRecord, sinceKey } from './replay-record.ts';
import type { AdmissionRequest, CacheRead, SessionCheck, TokenUse } from './request.ts';
import {
  APART_READ,
  APP,
  CALL,
  CHECK,
  FILTER,
  FORMER,
  HOT,
  HOT_READ,
  NONCE,
  PAGE,
  PROVEN,
  READ,
  READS,
  SESSION,
  SESSION_FILL,
  SESSION_KEYS,
  SIGNATURE,
  STRING_READ,
  TOKEN,
} from './wire.ts';

/** Keys and arguments of the admission script. `former`: also those of records in the form before buckets. */
export function pack(request: AdmissionRequest, lock: ApiLock, former: boolean): [Key[], Array<string | number>] {
  const { token, reads, unsafe } = request;
  const sections = nothingPacked();
  lock.packPolicies(sections);
  packToken(request, former, sections);
  packSession(request.session, sections);
  if (unsafe) APP.pack(sections, { off: appOffKey(token.appId), keyId: token.keyId });
  packReads(reads, sections);
  lock.packRules(sections);
  packHot(reads, sections);
  const call = nothingPacked();
  CALL.pack(call, { strings: sections.keys.length, id: request.requestId });
  return [
    [...sections.keys, ...sections.others],
    [...call.args, ...sections.args],
  ];
}

/** Keys of values that are read by GET after the script, in the same request. */
export const readApart = (reads: readonly CacheRead[]): Key[] =>
  reads.flatMap(({ key, kind }) => (isApart(kind) ? [key] : []));

export const isApart = (kind: CacheRead['kind']): boolean => kind === 'apart' || kind === 'apart-page';

function packToken({ token, unsafe, requestId }: AdmissionRequest, former: boolean, packed: Packed): void {
  const { signature, timeStamp, version } = token;
  const formerKeys = former && !token.unsigned ? formerRecords(token) : [];
  TOKEN.pack(packed, {
    since: sinceKey(signature.charAt(0)),
    stamp: timeStamp,
    unsafe,
    signed: !token.unsigned,
    idInRecord: recordId(requestId),
    nonceToo: version === 1,
    formerRecords: formerKeys.length,
  });
  SIGNATURE.pack(packed, signatureRecord(token));
  if (version === 1) {
    const { endsAt, ...record } = nonceRecord(token);
    NONCE.pack(packed, { ...record, epochEndsAt: endsAt });
  }
  for (const key of formerKeys) FORMER.pack(packed, { former: key });
}

const formerRecords = ({ appId, nonce, signature, version }: TokenUse): Key[] => [
  signatureKey(signature),
  ...(version === 1 ? [nonceKey(appId, nonce)] : []),
];

function packSession(check: SessionCheck | undefined, packed: Packed): void {
  SESSION.pack(packed, { mode: check?.mode ?? '' });
  if (!check) return;
  SESSION_KEYS.pack(packed, { session: check.sessionKey, user: check.userKey });
  if (check.mode === 'check') {
    CHECK.pack(packed, { idleMs: check.idleMs, graceMs: check.graceMs, sessionLeaseMs: LEASE_MS });
    return;
  }
  PROVEN.pack(packed, { fills: check.fill !== undefined });
  if (check.fill) SESSION_FILL.pack(packed, check.fill);
}

function packReads(reads: readonly CacheRead[], packed: Packed): void {
  READS.pack(packed, { early: drawEarliness(), leaseMs: LEASE_MS, readCount: reads.length });
  for (const { key, filter, kind, generation } of reads) {
    READ.pack(packed, { kind: kind ?? '', hashes: filter ? filter.hashes.join(',') : '' });
    (isApart(kind) ? APART_READ : STRING_READ).pack(packed, { read: key });
    if (generation) PAGE.pack(packed, { generation: generation.key, drawn: generation.drawn });
    if (filter) FILTER.pack(packed, { filter: filter.key });
  }
}

function packHot(reads: readonly CacheRead[], packed: Packed): void {
  const hotPlace = drawHot(reads);
  HOT.pack(packed, { hotPlace });
  if (hotPlace > 0) HOT_READ.pack(packed, { hot: anyHotKey(), hotName: reads[hotPlace - 1]?.hot ?? '' });
}

/** The place of the read that is counted for the hot keys, from 1. 0: none, as in 63 of 64 calls. */
const drawHot = (reads: readonly CacheRead[]): number =>
  reads[0]?.hot !== undefined && Math.random() * HOT_SAMPLE < 1 ? 1 + Math.floor(Math.random() * reads.length) : 0;
