import { query, queryReplica, type Row, type SqlValue, sqlTime } from '../db.ts';
import { columnOf } from './list.ts';
import type { Place } from './list-cursor.ts';
import { shownValue } from './records.ts';
import type { Column, List, Resource } from './resource.ts';

/** What a page is asked for, after all checks. */
export interface PageRequest {
  list: List;
  /** Values of the filters in their order, then of the owner. */
  equals: ReadonlyArray<{ member: string; value: string | number }>;
  size: number;
  /** undefined: the first page. */
  after: Place | undefined;
}

/** A page as it is cached: the same for all who may read the list. */
export interface Page {
  items: Array<Record<string, unknown>>;
  /** The place of the last record, if there are more. */
  next?: Place;
}

/**
 * Loads one page by the index that the list names. The bound of the sort column stands alone before the OR: with a row
 * comparison both MySQL and MariaDB read all records before the place. Without the equality beside the id they read all
 * records of the same sort value. `primary`: not from a replica.
 */
export async function loadPage(resource: Resource, request: PageRequest, primary: boolean): Promise<Page> {
  const [sql, values] = pageStatement(resource, request);
  const rows = await (primary ? query(sql, values) : queryReplica(sql, values));
  const items = rows.slice(0, request.size).map((row) => itemOf(resource, request.list, row));
  const last = rows.length > request.size ? rows[request.size - 1] : undefined;
  return last ? { items, next: placeOf(resource, request, last) } : { items };
}

export function pageStatement(resource: Resource, { list, equals, size, after }: PageRequest): [string, SqlValue[]] {
  const { member, direction } = list.sort;
  const [beyond, order] = direction === 'descending' ? ['<', 'DESC'] : ['>', 'ASC'];
  const sorted = sortColumn(resource, list)?.column;
  const conditions = [...equals.map(({ member }) => `${columnNamed(resource, member)} = ?`), 'deleted_at IS NULL'];
  const values: SqlValue[] = equals.map(({ value }) => value);
  if (after && !sorted) {
    conditions.push(`id ${beyond} ?`);
    values.push(after.id);
  } else if (after) {
    const at = sortColumn(resource, list)?.kind === 'time' ? sqlTime(Number(after.value)) : after.value;
    conditions.push(`${sorted} ${beyond}= ?`, `(${sorted} ${beyond} ? OR (${sorted} = ? AND id ${beyond} ?))`);
    values.push(at, at, at, after.id);
  }
  const columns = new Set(['id', 'version', ...shownColumns(resource, list).map(({ column }) => column)]);
  if (sorted) columns.add(sorted);
  const orderBy = [...(member === 'id' ? [] : [`${sorted} ${order}`]), `id ${order}`].join(', ');
  return [
    `SELECT ${[...columns].join(', ')} FROM ${resource.table} FORCE INDEX (${list.index}) WHERE ${conditions.join(' AND ')} ORDER BY ${orderBy} LIMIT ${size + 1}`,
    values,
  ];
}

const sortColumn = (resource: Resource, { sort }: List): Column | undefined => columnOf(resource, sort.member);

const columnNamed = (resource: Resource, member: string): string => columnOf(resource, member)?.column ?? member;

const shownColumns = (resource: Resource, { members }: List): readonly Column[] =>
  members ? resource.columns.filter(({ member }) => members.includes(member)) : resource.columns;

function itemOf(resource: Resource, list: List, row: Row): Record<string, unknown> {
  const members = shownColumns(resource, list).map((column) => [column.member, shownValue(column, row)]);
  const version = resource.writers && { version: Number(row.version) };
  return { id: String(row.id), ...Object.fromEntries(members), ...version };
}

function placeOf(resource: Resource, { list, after }: PageRequest, row: Row): Place {
  const sorted = sortColumn(resource, list);
  const value = sorted ? row[sorted.column] : '';
  return {
    depth: (after?.depth ?? 0) + 1,
    id: String(row.id),
    value: sorted?.kind === 'time' ? String(Date.parse(String(value))) : String(value),
  };
}
