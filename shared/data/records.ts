import type { CacheRead } from '../admission/request.ts';
import { type Found, type Load, type Loaded, type ReadAnswer, settleReads } from '../cache/cache.ts';
import { filterCheck } from '../cache/existence-filter.ts';
import { query, queryReplica, type Row, type SqlValue, sqlTime } from '../db.ts';
import { AppError } from '../errors.ts';
import { type Key, keyFamily } from '../keys.ts';
import type { Column, Resource } from './resource.ts';

/** The records of a resource: their ids, their cache keys, and all statements on their table. */
export type ResourceRecord = { id: string } & Record<string, unknown>;

const ID = /^[1-9][0-9]{0,15}$/;
/** Checks an id of the input. The functions below expect checked ids. Throws INVALID_KEY. */
export function checkId(id: string): string {
  if (!ID.test(id)) throw new AppError('INVALID_KEY');
  return id;
}

const recordKey = keyFamily<[string, string]>({
  area: 'cache',
  name: 'data',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: 1_400,
});
export const resourceKey = (resource: Resource, id: string): Key => recordKey(resource.name, id);

export const readOf = (resource: Resource, id: string): CacheRead => ({
  key: resourceKey(resource, id),
  hot: `${resource.name}:${id}`,
  ...(resource.apart && { kind: 'apart' }),
  ...(resource.filtered && { filter: filterCheck(resource.name, id) }),
});

/** The record as it is cached, if it is: without a lease, since the call does not load it. */
export const cachedReadOf = (resource: Resource, id: string): CacheRead => ({
  key: resourceKey(resource, id),
  kind: 'plain',
});

/** The same for a call that needs a record which is not deleted: the existence filter then refuses ids without one. */
export const knownReadOf = (resource: Resource, id: string): CacheRead => ({
  ...cachedReadOf(resource, id),
  ...(resource.filtered && { filter: filterCheck(resource.name, id) }),
});

/** Makes the records from the answers of admission's reads (see readOf), in the order of the ids. */
export const recordsFrom = (
  leaseId: string,
  resource: Resource,
  ids: readonly string[],
  answers: readonly ReadAnswer[],
): Promise<Array<Found<ResourceRecord>>> =>
  settleReads(
    leaseId,
    ids.map((id) => resourceKey(resource, id)),
    answers,
    resource.cache,
    loadResources(resource, ids),
  );

/** The record if this user may see it. null: there is none, or it belongs to another user. */
export const visibleTo = (
  userId: string | undefined,
  resource: Resource,
  record: ResourceRecord | null,
): ResourceRecord | null => (resource.readers === 'app' || record?.userId === userId ? record : null);

/** Loads ids in one statement; `fresh` asks the primary. The result is null for ids without a row. */
export function loadResources(resource: Resource, ids: readonly string[]): Load<ResourceRecord> {
  return async (indexes, fresh) => {
    const wanted = indexes.map((index) => ids[index] as string);
    const names = ['id', 'version', ...resource.columns.map(({ column }) => column)].join(', ');
    const sql = `SELECT ${names} FROM ${resource.table} WHERE deleted_at IS NULL AND id IN (${wanted.map(() => '?').join(', ')})`;
    const rows = fresh ? await query(sql, wanted) : await queryReplica(sql, wanted);
    const byId = new Map(rows.map((row) => [String(row.id), row]));
    return wanted.map((id): Loaded<ResourceRecord> => {
      const row = byId.get(id);
      if (!row) return { value: null, version: 0 };
      return { value: recordOf(resource, id, row), version: Number(row.version) };
    });
  };
}

export const shownValue = ({ column, kind }: Column, row: Row): unknown =>
  kind === 'id' ? String(row[column]) : row[column];

/** The version is a member where users write, because a change names it. */
export const recordOf = ({ columns, writers }: Resource, id: string, row: Row): ResourceRecord => ({
  id,
  ...Object.fromEntries(columns.map((column) => [column.member, shownValue(column, row)])),
  ...(writers && { version: Number(row.version) }),
});

/** Reads the primary, not the cache. null: there is none. Throws INVALID_KEY, EngineError. */
export async function findRecord(resource: Resource, id: string): Promise<ResourceRecord | null> {
  const [loaded] = await loadResources(resource, [checkId(id)])([0], true);
  return loaded?.value ?? null;
}

/** The upsert of `data put`: validated members and a new version. It also restores a deleted row. */
export function putStatement(resource: Resource, id: string, members: Record<string, unknown>): [string, SqlValue[]] {
  const columns = resource.columns.map(({ column }) => column);
  const values = resource.columns.map(({ member, kind }): SqlValue => {
    const value = members[member] as string | number;
    return kind === 'time' ? sqlTime(value) : value;
  });
  const assignments = columns.map((column) => `${column} = VALUES(${column})`).join(', ');
  return [
    `INSERT INTO ${resource.table} (id, ${columns.join(', ')}) VALUES (?${', ?'.repeat(columns.length)})
     ON DUPLICATE KEY UPDATE ${assignments}, version = version + 1, deleted_at = NULL`,
    [id, ...values],
  ];
}

export const deleteStatement = (resource: Resource, id: string): [string, SqlValue[]] => [
  `UPDATE ${resource.table} SET deleted_at = NOW(3), version = version + 1 WHERE id = ? AND deleted_at IS NULL`,
  [id],
];

/** Ids of the newest records, for cache-warm. */
export async function newestIds(resource: Resource): Promise<string[]> {
  if (resource.warmNewest === 0) return [];
  const rows = await query(
    `SELECT id FROM ${resource.table} WHERE deleted_at IS NULL ORDER BY id DESC LIMIT ${resource.warmNewest}`,
  );
  return rows.map(({ id }) => String(id));
}

/** Throws EngineError, also when a table is too large to count within the time limit of a statement. */
export async function countRows(resource: Resource): Promise<number> {
  const [row] = await query(`SELECT COUNT(*) AS n FROM ${resource.table}`);
  return Number(row?.n);
}

/** The next ids in their order, for the existence filter. */
export async function idsAfter(resource: Resource, afterId: string, limit: number): Promise<string[]> {
  const rows = await query(
    `SELECT id FROM ${resource.table} WHERE id > ? AND deleted_at IS NULL ORDER BY id LIMIT ${limit}`,
    [afterId],
  );
  return rows.map(({ id }) => String(id));
}
