/** One page of a list: what comes after a place in it, or else from its beginning. */
export interface Page<Place> {
  limit: number;
  after?: Place | undefined;
}

/** Opaque to callers: its form is ours to change. */
const writeCursor = (text: string): string => Buffer.from(text).toString('base64url');

/** The groups of `form`. null: not a cursor that we gave out. */
export function readCursor(cursor: string, form: RegExp): string[] | null {
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  return writeCursor(text) === cursor ? (form.exec(text)?.slice(1) ?? null) : null;
}

/** Of `limit + 1` rows the first `limit`; the one beyond only says that there is more. */
export function pageOf<T>(rows: readonly T[], limit: number, cursorOf: (last: T) => string) {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items, next: more ? { next: writeCursor(cursorOf(last)) } : {} };
}
