// A session as text: JSON for public apps, the token itself for v2.
import type { SignedIn } from './session-book.ts';

/** null: no session, such as the text of another version. */
export function sessionOfText(text: string | null): SignedIn | null {
  try {
    const { session, key, at, silent } = JSON.parse(text as string);
    return key ? sessionOf(session, key, at, silent) : null;
  } catch {
    return null;
  }
}

export function textOfSession({ userId, ...kept }: SignedIn): string {
  return JSON.stringify(kept);
}

/** `<userId>.<sid>`, or without a key the token of v2: `s1.<userId>.<secret>`. null: neither. */
export function sessionOf(session: unknown, key = '', at = 0, silent = false): SignedIn | null {
  if (typeof session !== 'string' || !session) return null;
  return { session, userId: session.split('.')[key ? 0 : 1] as string, key, at, silent };
}
