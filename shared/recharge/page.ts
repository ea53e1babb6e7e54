import { AppError } from '../errors.ts';

/** One page of a list: `after` is the `next` of the page before it. */
export interface Page {
  limit: number;
  after: string | undefined;
}

/** Opaque to callers: its form is ours to change. */
const writeCursor = (text: string): string => Buffer.from(text).toString('base64url');

/** The groups of `form`; undefined without a cursor. Throws INVALID_INPUT for one that we did not give out. */
export function readCursor(cursor: string | undefined, form: RegExp): string[] | undefined {
  if (cursor === undefined) return undefined;
  const match = form.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (match) return match.slice(1);
  throw new AppError('INVALID_INPUT', undefined, {
    errors: [{ path: 'query.after', message: 'expected next of an earlier page' }],
  });
}

/** Of `limit + 1` rows the first `limit`; the one beyond only says that there is more. */
export function pageOf<T>(rows: readonly T[], page: Page, cursorOf: (last: T) => string) {
  const items = rows.slice(0, page.limit);
  const last = items.at(-1);
  const more = rows.length > page.limit && last !== undefined;
  return { items, next: more ? { next: writeCursor(cursorOf(last)) } : {} };
}
