import { serverMac } from '../server-key.ts';

/**
 * The cursor of a next page: a place in the order of a list, and a MAC. `<depth>.<id>.<sort value>` in base64url, a dot,
 * 16 characters. It gives no right: a caller who has it may read no more than without it. The MAC has one purpose: an
 * invented place is refused by computation, so it never becomes a page in the cache or a statement.
 */
export interface Place {
  /** How many pages are before the next one. */
  depth: number;
  /** Of the last record of the page before. */
  id: string;
  /** Its sort value: a whole number, Unix milliseconds for a time, '' where the list is sorted by id. */
  value: string;
}

const CURSOR = /^([A-Za-z0-9_-]{4,80})\.([A-Za-z0-9_-]{16})$/;
const PLACE = /^(\d{1,9})\.([1-9]\d{0,15})\.(-?\d{1,16}|)$/;
const MAC_BYTES = 12;

/** `scope`: everything that decides which records the list has, for this caller. */
const macOf = (scope: readonly string[], text: string): string =>
  serverMac('list-cursor', ...scope, text).toString('base64url', 0, MAC_BYTES);

export function encodeCursor(scope: readonly string[], { depth, id, value }: Place): string {
  const text = Buffer.from(`${depth}.${id}.${value}`).toString('base64url');
  return `${text}.${macOf(scope, text)}`;
}

/** undefined: it was not made here for this scope. */
export function decodeCursor(scope: readonly string[], cursor: string): Place | undefined {
  const [, text = '', mac = ''] = CURSOR.exec(cursor) ?? [];
  if (text === '' || mac !== macOf(scope, text)) return undefined;
  const [, depth, id = '', value = ''] = PLACE.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  return depth === undefined ? undefined : { depth: Number(depth), id, value };
}
