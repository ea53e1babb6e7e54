import { query, type Row, type Transaction, write } from '../db.ts';
import type { Key } from '../keys.ts';
import { endUploadsOf } from '../uploads/lives.ts';
import { cutColumns, cutsOf, generationsOf } from './generations.ts';
import { columnOf, OWNER } from './list.ts';
import { columnNamed } from './own-records.ts';
import { type ResourceRecord, recordOf, resourceKey } from './records.ts';
import type { Resource } from './resource.ts';
import { allResources } from './resources.ts';
import { hasUploads, recordName } from './upload-columns.ts';

/**
 * All records of one user, and the end of records. The row of a deleted record is kept for a time: a repeated deletion
 * finds it, and the sweep ends its cached copies. Then the row is deleted. For the records of an erased user that is
 * within an hour.
 */
const KEPT_HOURS = 25;
const AT_ONCE = 1_000;

const written = (): Resource[] => allResources().filter(({ writers }) => writers !== undefined);
/** Also those that only operators write, such as vouchers. */
const owned = (): Resource[] => allResources().filter((resource) => columnOf(resource, OWNER) !== undefined);
const ownerColumn = (resource: Resource): string => columnNamed(resource, OWNER).column;

/** Keys and generations to delete after the commit. */
export interface Spoiled {
  keys: Key[];
  generations: Key[];
}

/** The records of the user that are not deleted, with their cut members. Nobody else can change them then. */
async function lockRecords(resource: Resource, userId: string, query: Transaction['query']): Promise<Row[]> {
  const cuts = cutColumns(resource).map(({ column }) => column);
  return query(
    `SELECT ${['id', ...cuts].join(', ')} FROM ${resource.table}
      WHERE ${ownerColumn(resource)} = ? AND deleted_at IS NULL FOR UPDATE`,
    [userId],
  );
}

/**
 * Deletes all records of the user, and ends all uploads, in the transaction that erases the account: a creation waits
 * for it and then finds no user. Adds to `spoiled`.
 */
export async function eraseRecordsOf(userId: string, transaction: Transaction, spoiled: Spoiled): Promise<void> {
  const { query, write } = transaction;
  const withUploads: string[] = [];
  for (const resource of written()) {
    const rows = await lockRecords(resource, userId, query);
    if (rows.length === 0) continue;
    await write(
      `UPDATE ${resource.table} SET deleted_at = NOW(3) - INTERVAL 1 DAY, version = version + 1
        WHERE ${ownerColumn(resource)} = ? AND deleted_at IS NULL`,
      [userId],
    );
    for (const row of rows) {
      spoiled.keys.push(resourceKey(resource, String(row.id)));
      spoiled.generations.push(...generationsOf(resource, cutsOf(resource, row)));
      if (hasUploads(resource)) withUploads.push(recordName(resource, String(row.id)));
    }
  }
  await endUploadsOf(userId, withUploads, transaction);
}

/**
 * Gives all records of a user to another one, in the transaction that merges the users and has locked both. The quota
 * does not count. Uploads stay where they are: the keys of their objects contain the former owner. Adds to `spoiled`,
 * and returns how many records have moved, by the name of their resource.
 */
export async function moveRecordsOf(
  from: string,
  into: string,
  { query, write }: Transaction,
  spoiled: Spoiled,
): Promise<Record<string, number>> {
  const moved: Record<string, number> = {};
  for (const resource of owned()) {
    const rows = await lockRecords(resource, from, query);
    if (rows.length === 0) continue;
    const owner = ownerColumn(resource);
    await write(
      `UPDATE ${resource.table} SET ${owner} = ?, version = version + 1 WHERE ${owner} = ? AND deleted_at IS NULL`,
      [into, from],
    );
    moved[resource.name] = rows.length;
    for (const row of rows) {
      const cuts = cutsOf(resource, row);
      spoiled.keys.push(resourceKey(resource, String(row.id)));
      for (const userId of [from, into]) {
        spoiled.generations.push(...generationsOf(resource, { ...cuts, [OWNER]: userId }));
      }
    }
  }
  return moved;
}

/** How many records the user has, by the name of their resource, and how many a user may write. */
export async function countRecordsOf(
  userId: string,
  query: Transaction['query'],
): Promise<Array<{ resource: string; records: number; quota: number }>> {
  const counts = [];
  for (const resource of owned()) {
    const [row] = await query(
      `SELECT COUNT(*) AS records FROM ${resource.table} WHERE ${ownerColumn(resource)} = ? AND deleted_at IS NULL`,
      [userId],
    );
    const quota = resource.writers?.quota ?? Number.POSITIVE_INFINITY;
    counts.push({ resource: resource.name, records: Number(row?.records), quota });
  }
  return counts;
}

/** Deletes the rows of records that were deleted long ago. Returns how many. Throws EngineError. */
export async function deleteEndedRecords(): Promise<number> {
  let deleted = 0;
  for (const { table } of written()) {
    const sql = `DELETE FROM ${table} WHERE deleted_at < NOW(3) - INTERVAL ${KEPT_HOURS} HOUR LIMIT ${AT_ONCE}`;
    deleted += (await write(sql)).rowsAffected;
  }
  return deleted;
}

/** Whether the user has a record at any app. `query`: of a transaction that has locked the user. */
export async function hasRecords(userId: string, query: Transaction['query']): Promise<boolean> {
  for (const resource of owned()) {
    const owner = ownerColumn(resource);
    const rows = await query(`SELECT id FROM ${resource.table} WHERE ${owner} = ? AND deleted_at IS NULL LIMIT 1`, [
      userId,
    ]);
    if (rows.length > 0) return true;
  }
  return false;
}

/** The records that the user owns, by the name of their resource; the newest `limit` of each. */
export async function exportRecords(userId: string, limit: number): Promise<Record<string, ResourceRecord[]>> {
  const exported: Record<string, ResourceRecord[]> = {};
  for (const resource of owned()) {
    const owner = ownerColumn(resource);
    const rows = await query(
      `SELECT id, version, ${resource.columns.map(({ column }) => column).join(', ')} FROM ${resource.table}
        WHERE ${owner} = ? AND deleted_at IS NULL ORDER BY id DESC LIMIT ?`,
      [userId, limit],
    );
    exported[resource.name] = rows.map((row) => recordOf(resource, String(row.id), row));
  }
  return exported;
}
