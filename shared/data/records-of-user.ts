import { query, type SqlValue, type Transaction, write } from '../db.ts';
import type { Key } from '../keys.ts';
import { endUploadsOf } from '../uploads/lives.ts';
import { cutColumns, cutsOf, generationsOf } from './generations.ts';
import { columnOf, OWNER } from './list.ts';
import { type OwnRecord, shown, standingColumns, standingOf } from './own-records.ts';
import { resourceKey } from './records.ts';
import type { Resource } from './resource.ts';
import { allResources } from './resources.ts';

/**
 * The records that one user wrote, all together, and the end of records. A deleted record is kept for a time, so that a repeated deletion finds it and
 * the sweep ends its cached copies. Then its row goes. The records of an erased user go within an hour.
 */
const KEPT_HOURS = 25;
const AT_ONCE = 1_000;

const written = (): Resource[] => allResources().filter(({ writers }) => writers !== undefined);

/**
 * Deletes all records of the user, and ends all uploads, in the transaction that erases the account: a creation waits
 * for it and then finds no user. Adds what the caller must invalidate after the commit to `keys` and `generations`.
 */
export async function eraseRecordsOf(
  userId: string,
  transaction: Transaction,
  spoiled: { keys: Key[]; generations: Key[] },
): Promise<void> {
  const { query, write } = transaction;
  for (const resource of written()) {
    const owner = columnOf(resource, OWNER)?.column;
    const where = `${owner} = ? AND deleted_at IS NULL`;
    const cuts = cutColumns(resource).map(({ column }) => column);
    const of: SqlValue[] = [userId];
    const rows = await query(
      `SELECT ${['id', ...cuts].join(', ')} FROM ${resource.table} WHERE ${where} FOR UPDATE`,
      of,
    );
    if (rows.length === 0) continue;
    await write(
      `UPDATE ${resource.table} SET deleted_at = NOW(3) - INTERVAL 1 DAY, version = version + 1 WHERE ${where}`,
      of,
    );
    for (const row of rows) {
      spoiled.keys.push(resourceKey(resource, String(row.id)));
      spoiled.generations.push(...generationsOf(resource, cutsOf(resource, row)));
    }
  }
  await endUploadsOf(userId, transaction);
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
  for (const resource of written()) {
    const owner = columnOf(resource, OWNER)?.column;
    const rows = await query(`SELECT id FROM ${resource.table} WHERE ${owner} = ? AND deleted_at IS NULL LIMIT 1`, [
      userId,
    ]);
    if (rows.length > 0) return true;
  }
  return false;
}

/** The records that the user owns, by the name of their resource; the newest `limit` of each. */
export async function exportRecords(userId: string, limit: number): Promise<Record<string, OwnRecord[]>> {
  const exported: Record<string, OwnRecord[]> = {};
  for (const resource of written()) {
    const owner = columnOf(resource, OWNER)?.column;
    const rows = await query(
      `SELECT id, ${standingColumns(resource)} FROM ${resource.table}
        WHERE ${owner} = ? AND deleted_at IS NULL ORDER BY id DESC LIMIT ?`,
      [userId, limit],
    );
    exported[resource.name] = rows.map((row) => shown(resource, standingOf(resource, String(row.id), row).record));
  }
  return exported;
}
