import { createHash } from 'node:crypto';
import { announceIds } from '../cache/existence-filter.ts';
import { writeThrough } from '../cache/write.ts';
import { query, writeRepeatably } from '../db.ts';
import { AppError, invalidInput, SqlError } from '../errors.ts';
import { claimMembers } from './claimed-uploads.ts';
import { generationsOf } from './generations.ts';
import { OWNER } from './list.ts';
import {
  type Condition,
  columnNamed,
  findStanding,
  type OwnRecord,
  type OwnResource,
  type Standing,
  shown,
  sqlValue,
  standingColumns,
  standingOf,
} from './own-records.ts';
import { resourceKey } from './records.ts';
import type { Members, Resource } from './resource.ts';
import { getResource } from './resources.ts';
import { recordName } from './upload-columns.ts';

/** Another record may have the id that a key gives, once in 2^53. Then the next one is taken. */
const ATTEMPTS = 4;
const DUPLICATE = 1062;
/**
 * The id is computed from who makes the record and by which key. So it is known before the commit, as the existence
 * filter needs it, and the same key is the same record.
 */
function idFor(resource: Resource, maker: readonly string[], attempt: number): string {
  const text = JSON.stringify([resource.name, ...maker, attempt]);
  const number = createHash('sha256').update(text).digest().readBigUInt64BE(0) >> 11n;
  return String(number === 0n ? 1n : number);
}

const half = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);

/** Who made the record by which key, and from which members: 64 hex characters. */
const madeBy = (maker: readonly string[], members: Members): string =>
  half(maker) + half(Object.entries(members).sort());

interface Owner {
  appId: string;
  userId: string;
  /** The app whose uploads the record may use; undefined: of any app, for a server app. */
  uploadsOf?: string | undefined;
}

/**
 * Creates a record of this user. `now`: Unix milliseconds. `absent`: a named record that the existence filter does not
 * know. Throws QUOTA_REACHED; IDEMPOTENCY_KEY_REUSED (the key made a
 * record from other members); INVALID_INPUT (an upload or a named record that cannot be used); NOT_FOUND (the user is disabled, erased or
 * does not exist); EngineError.
 */
export async function createOwn(
  resource: OwnResource,
  { appId, userId, uploadsOf }: Owner,
  idempotencyKey: string,
  given: Members,
  now: number,
  absent?: Named,
): Promise<OwnRecord> {
  const maker = [appId, userId, idempotencyKey];
  const made = madeBy(maker, given);
  const firstId = idFor(resource, maker, 0);
  const claimant = { record: recordName(resource, firstId), userId, appId: uploadsOf };
  const claim = async () => {
    if (absent) throw noSuchRecord(absent);
    return claimMembers(resource, claimant, given);
  };
  const claimed = await claim().catch(async (error: unknown) => {
    // The record was made by this key before, and its uploads or the records that it names are gone since.
    const standing = error instanceof AppError ? await findStanding(resource, firstId) : null;
    if (standing?.madeBy !== made) throw error;
    return { made: ownOf(standing, userId) };
  });
  if ('made' in claimed) return claimed.made;
  const record = { ...claimed.members, [OWNER]: userId, createdAt: new Date(now).toISOString() };
  const conditions = [...namedRecords(resource, record).map(({ condition }) => condition), ...claimed.conditions];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const id = idFor(resource, maker, attempt);
    // Announced before the commit: a filter that does not know the id would call the record absent.
    if (resource.filtered) await announceIds(resource.name, [id]);
    const inserted = await writeThrough(
      () => insertOnce(resource, id, record, made, conditions),
      [resourceKey(resource, id)],
      generationsOf(resource, record),
    );
    if (inserted) return shown(resource, { ...record, id, version: 1 });
    const { standing, refusal } = await findReason(resource, id, record, claimed.conditions);
    if (standing?.madeBy === made) return ownOf(standing, userId);
    if (standing && standing.madeBy.slice(0, 32) !== made.slice(0, 32)) continue;
    await claimed.release();
    throw standing ? new AppError('IDEMPOTENCY_KEY_REUSED') : refusal;
  }
  throw new AppError('IDEMPOTENCY_KEY_REUSED');
}

/** An operator may have moved the record to another user since. Throws NOT_FOUND then. */
function ownOf({ record }: Standing, userId: string): OwnRecord {
  if (record[OWNER] !== userId) throw new AppError('NOT_FOUND');
  return record;
}

/**
 * The row of the user is locked first, so creations of one user run one after another. The count is a locking read: a
 * plain one would see the records from before a parallel call, and pass the quota. false: nothing was inserted.
 */
async function insertOnce(
  resource: OwnResource,
  id: string,
  record: Members,
  made: string,
  conditions: readonly Condition[],
): Promise<boolean> {
  const columns = resource.columns.map(({ column }) => column);
  const owner = columnNamed(resource, OWNER).column;
  const values = resource.columns.map((column) => sqlValue(column, record));
  const userId = record[OWNER] as string;
  try {
    const { rowsAffected } = await writeRepeatably(
      `INSERT INTO ${resource.table} (id, made_by, ${columns.join(', ')})
       SELECT ?, ?, ${columns.map(() => '?').join(', ')} FROM users
        WHERE user_id = ? AND disabled_at IS NULL AND erased_at IS NULL
          AND (SELECT COUNT(*) FROM ${resource.table} WHERE ${owner} = ? AND deleted_at IS NULL FOR UPDATE) < ?
          ${conditions.map(([condition]) => `AND ${condition} `).join('')}FOR UPDATE`,
      [id, made, ...values, userId, userId, resource.writers.quota, ...conditions.flatMap(([, bound]) => bound)],
    );
    return rowsAffected > 0;
  } catch (error) {
    if (error instanceof SqlError && error.errno === DUPLICATE) return false;
    throw error;
  }
}

/** Why nothing was inserted: there is a record with this id already, or a condition does not hold. */
async function findReason(
  resource: OwnResource,
  id: string,
  record: Members,
  claims: readonly Condition[],
): Promise<{ standing: Standing | null; refusal: AppError }> {
  const owner = columnNamed(resource, OWNER).column;
  const named = namedRecords(resource, record);
  const userId = record[OWNER] as string;
  const [row = {}] = await query(
    `SELECT r.id AS standing_id, ${standingColumns(resource, 'r.')}, u.user_id AS live_user,
            (SELECT COUNT(*) FROM ${resource.table} WHERE ${owner} = ? AND deleted_at IS NULL) AS own_records
            ${named.map(({ condition: [sql] }, i) => `, ${sql} AS named_${i} `).join('')}
       FROM (SELECT 1) AS one LEFT JOIN ${resource.table} r ON r.id = ?
            LEFT JOIN users u ON u.user_id = ? AND u.disabled_at IS NULL AND u.erased_at IS NULL`,
    [userId, ...named.flatMap(({ condition: [, bound] }) => bound), id, userId],
  );
  const standing = row.standing_id === null ? null : standingOf(resource, id, row);
  const absent = named.find((_, i) => Number(row[`named_${i}`]) === 0);
  if (row.live_user === null) return { standing, refusal: new AppError('NOT_FOUND') };
  if (absent) return { standing, refusal: noSuchRecord(absent) };
  // A claim of an upload ended a moment ago. Sent again, the call finds out why.
  const isFull = Number(row.own_records) >= resource.writers.quota;
  const code = claims.length > 0 && !isFull ? 'UNAVAILABLE' : 'QUOTA_REACHED';
  return { standing, refusal: new AppError(code) };
}

/** A record of another resource that the new record names. */
interface Named {
  member: string;
  resource: Resource;
  id: string;
  /** That it exists. */
  condition: Condition;
}

export const namedRecords = ({ writers: { references = {} } }: OwnResource, members: Members): Named[] =>
  Object.entries(references).map(([member, name]) => {
    const resource = getResource(name);
    const id = String(members[member]);
    const sql = `EXISTS (SELECT 1 FROM ${resource.table} WHERE id = ? AND deleted_at IS NULL)`;
    return { member, resource, id, condition: [sql, [id]] };
  });

const noSuchRecord = ({ member, resource }: Named): AppError =>
  invalidInput({ path: member, message: `expected the id of a ${resource.name}` });
