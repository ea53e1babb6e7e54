import { decodePlain } from '../cache/value.ts';
import { SESSION_GRACE_SECONDS } from '../swept-keys.ts';

/**
 * The state of a session that is not the caller's own, from Redis alone. `unknown`: its copy is missing, or a writer is
 * at work; then MySQL has to be asked. The rules are those of the session step in the admission script. Only the life
 * that the copy has left in Redis decides: it ends with the idle end or the absolute end of the session, whichever is
 * earlier, and the grace time.
 */
export type Standing = { alive: true; version: number } | { alive: false } | 'unknown';

/** `copy` and `version`: plain reads of the session's key and of the user version's key. */
export function standingOf(copy: string, version: string): Standing {
  const session = decodePlain(copy);
  const current = /^J1;\d+;\d+;(\d+);/.exec(decodePlain(version)?.value ?? '')?.[1];
  if (session?.value.startsWith('N')) return { alive: false };
  const stamped = /^[JZ]1;\d+;\d+;(\d+);/.exec(session?.value ?? '')?.[1];
  if (!session || stamped === undefined || stamped !== current) return 'unknown';
  const ended = session.leftMs <= SESSION_GRACE_SECONDS * 1000;
  return ended ? { alive: false } : { alive: true, version: Number(stamped) };
}
