/** One page of a list: it begins after `after`, or at the beginning of the list. */
export interface Page<Place> {
  limit: number;
  after?: Place | undefined;
}

/** Callers must not read a cursor: its form may change. */
const writeCursor = (text: string): string => Buffer.from(text).toString('base64url');

/** The groups of `form`. null: this is not a cursor of this API. */
export function readCursor(cursor: string, form: RegExp): string[] | null {
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  return writeCursor(text) === cursor ? (form.exec(text)?.slice(1) ?? null) : null;
}

/** Takes `limit + 1` rows and returns the first `limit`. The last row only shows that there are more. */
export function pageOf<T>(rows: readonly T[], limit: number, cursorOf: (last: T) => string) {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items, next: more ? { next: writeCursor(cursorOf(last)) } : {} };
}
