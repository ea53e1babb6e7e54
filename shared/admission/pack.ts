import { drawEarliness, LEASE_MS } from '../cache/cache.ts';
import { anyHotKey, HOT_SAMPLE } from '../cache/hot-keys.ts';
import type { Key } from '../keys.ts';
import type { ApiLock } from '../lock/api-lock.ts';
import { appOffKey } from './app-off.ts';
import { nonceKey, signatureKey, sinceKey } from './replay-record.ts';
import type { AdmissionRequest, CacheRead, SessionCheck } from './request.ts';

/** Keys and arguments of the admission script, in the order in which it takes them. `now`: Unix milliseconds. */
export function pack(request: AdmissionRequest, lock: ApiLock, now: number): [Key[], Array<string | number>] {
  const { token, reads, unsafe } = request;
  const keys: Key[] = [...lock.policies.keys];
  const args: Array<string | number> = [request.requestId, now, ...lock.policies.args];

  args.push(token.timeStamp, unsafe ? '1' : '0', token.version === 1 ? 2 : 1);
  keys.push(sinceKey(token.signature.charAt(0)), signatureKey(token.signature));
  if (token.version === 1) keys.push(nonceKey(token.appId, token.nonce));

  packSession(request.session, keys, args);
  args.push(unsafe ? 'off-mark' : '');
  if (unsafe) {
    keys.push(appOffKey(token.appId));
    args.push(token.keyId);
  }

  const filters = reads.flatMap(({ filter }) => (filter ? [filter.key] : []));
  args.push(drawEarliness(), LEASE_MS, filters.length, reads.length);
  for (const { key, filter, kind } of reads) {
    if (kind !== 'apart') keys.push(key);
    args.push(kind ?? '', filter ? filter.hashes.join(',') : '');
  }

  keys.push(...lock.rules.keys);
  args.push(...lock.rules.args);

  const strings = keys.length;
  keys.push(...filters, ...readApart(reads));
  const hot = drawHot(reads);
  if (hot > 0) keys.push(anyHotKey());
  args.push(hot, reads[hot - 1]?.hot ?? '');
  return [keys, [strings, ...args]];
}

/** Keys of values that are read by GET after the script, in the same request. */
export const readApart = (reads: readonly CacheRead[]): Key[] =>
  reads.flatMap(({ key, kind }) => (kind === 'apart' ? [key] : []));

function packSession(session: SessionCheck | undefined, keys: Key[], args: Array<string | number>): void {
  args.push(session?.mode ?? '');
  if (!session) return;
  keys.push(session.sessionKey, session.userKey);
  if (session.mode === 'check') {
    args.push(session.idleMs, session.graceMs, LEASE_MS);
  } else if (session.fill) {
    args.push('1', session.fill.copy, session.fill.copyMs, session.fill.version, session.fill.versionMs);
  } else {
    args.push('0');
  }
}

/** The place of the read that is counted for the hot keys, from 1. 0: none, as in 63 of 64 calls. */
const drawHot = (reads: readonly CacheRead[]): number =>
  reads[0]?.hot !== undefined && Math.random() * HOT_SAMPLE < 1 ? 1 + Math.floor(Math.random() * reads.length) : 0;
