import { announceIds } from '../cache/existence-filter.ts';
import { invalidate, writeThrough } from '../cache/write.ts';
import { query, type SqlValue, type Transaction, type Written, withTransaction, writeRepeatably } from '../db.ts';
import type { Key } from '../keys.ts';
import { parseWith } from '../parse.ts';
import { lockNamedUploads, recordChanged } from './claimed-uploads.ts';
import { cutColumns, cutStatement, cutsOf, generationsOf } from './generations.ts';
import { checkId, deleteStatement, putStatement, resourceKey, shownValue } from './records.ts';
import type { Members, Resource } from './resource.ts';
import { hasUploads } from './upload-columns.ts';

/**
 * The write path of business data (row A9 (writes go to MySQL)). Each call commits first and then deletes the cache
 * keys of the changed rows. After changes by other tools call invalidateResource. Until then, or until the next sweep
 * of cache-warm, readers get old values.
 */

/**
 * Inserts or replaces the record. Its id is added to the existence filter before the commit, so nothing is written
 * while Redis is down. Throws INVALID_KEY, INVALID_INPUT, EngineError.
 */
export async function putResource(resource: Resource, id: string, members: unknown): Promise<void> {
  checkId(id);
  const checked = checkMembers(resource, members);
  if (resource.filtered) await announceIds(resource.name, [id]);
  await writeRecord(resource, id, putStatement(resource, id, checked), generationsOf(resource, checked), checked);
  await recordChanged(resource, id);
}

/**
 * Replaces single members of the record. It is read under a lock, so a write beside this one loses nothing. Without a
 * record `some` must be all its members. Throws INVALID_KEY, INVALID_INPUT, EngineError.
 */
export async function putMembers(resource: Resource, id: string, some: Members): Promise<void> {
  checkId(id);
  if (resource.filtered) await announceIds(resource.name, [id]);
  const generations: Key[] = [];
  const work = () =>
    withTransaction(async (transaction) => {
      await lockNamedUploads(resource, some, transaction);
      const former = await lockRecord(resource, id, transaction);
      const members = checkMembers(resource, { ...former, ...some });
      generations.push(...generationsOf(resource, former), ...generationsOf(resource, members));
      return transaction.write(...putStatement(resource, id, members));
    });
  await writeThrough(work, [resourceKey(resource, id)], generations);
  await recordChanged(resource, id);
}

/** All members that a put takes. Throws INVALID_INPUT. */
export const checkMembers = (resource: Resource, members: unknown): Record<string, unknown> =>
  parseWith(resource.input, members, '');

/** undefined: there is none. */
async function lockRecord(
  resource: Resource,
  id: string,
  transaction: Transaction,
): Promise<Record<string, unknown> | undefined> {
  const columns = resource.columns.map(({ column }) => column).join(', ');
  const [row] = await transaction.query(
    `SELECT ${columns} FROM ${resource.table} WHERE id = ? AND deleted_at IS NULL FOR UPDATE`,
    [id],
  );
  return row && Object.fromEntries(resource.columns.map((column) => [column.member, shownValue(column, row)]));
}

/** false: there was no such record. Throws INVALID_KEY. */
export async function deleteResource(resource: Resource, id: string): Promise<boolean> {
  const statement = deleteStatement(resource, checkId(id));
  const { rowsAffected } = await writeRecord(resource, id, statement, generationsOf(resource));
  await recordChanged(resource, id);
  return rowsAffected > 0;
}

/**
 * Runs the statement and ends the pages of all lists that had the record or have it now. An operator may move a record
 * from one cut of a list to another: so its former values are read under a lock in the transaction of the write.
 */
function writeRecord(
  resource: Resource,
  id: string,
  statement: [string, SqlValue[]],
  generations: Key[],
  members?: Readonly<Record<string, unknown>>,
): Promise<Written> {
  const keys = [resourceKey(resource, id)];
  if (cutColumns(resource).length === 0 && !hasUploads(resource)) {
    return writeThrough(() => writeRepeatably(...statement), keys, generations);
  }
  const work = () =>
    withTransaction(async (transaction) => {
      if (members) await lockNamedUploads(resource, members, transaction);
      if (cutColumns(resource).length === 0) return transaction.write(...statement);
      const [sql, values] = cutStatement(resource, [id]);
      for (const row of await transaction.query(`${sql} FOR UPDATE`, values)) {
        generations.push(...generationsOf(resource, cutsOf(resource, row)));
      }
      return transaction.write(...statement);
    });
  return writeThrough(work, keys, generations);
}

/** For rows that other tools changed. Throws INVALID_KEY; EngineError if Redis did not delete the keys. */
export async function invalidateResource(resource: Resource, ids: readonly string[]): Promise<void> {
  ids.forEach(checkId);
  if (resource.filtered) await announceIds(resource.name, ids);
  const generations = generationsOf(resource);
  if (cutColumns(resource).length > 0 && ids.length > 0) {
    const rows = await query(...cutStatement(resource, ids));
    for (const row of rows) generations.push(...generationsOf(resource, cutsOf(resource, row)));
  }
  await invalidate(
    ids.map((id) => resourceKey(resource, id)),
    generations,
  );
}
