import { decodePlain } from '../cache/value.ts';
import { SESSION_GRACE_SECONDS } from '../swept-keys.ts';

/**
 * What Redis alone can say of a session that is not the caller's own. `unknown`: its copy is not there, or a writer is
 * at work; MySQL knows. The rules are those of the admission script's session step.
 */
export type Standing = { alive: true; version: number } | { alive: false } | 'unknown';

/** `copy` and `version`: plain reads of the session's key and of the user's version key. */
export function standingOf(copy: string, version: string, now = Date.now()): Standing {
  const session = decodePlain(copy);
  const current = /^J1;\d+;\d+;(\d+);/.exec(decodePlain(version)?.value ?? '')?.[1];
  if (session?.value.startsWith('N')) return { alive: false };
  const [, absolute, stamped] = /^[JZ]1;(\d+);\d+;(\d+);/.exec(session?.value ?? '') ?? [];
  if (!session || stamped === undefined || stamped !== current) return 'unknown';
  const idle = session.leftMs <= SESSION_GRACE_SECONDS * 1000;
  return idle || Number(absolute) <= now ? { alive: false } : { alive: true, version: Number(stamped) };
}
