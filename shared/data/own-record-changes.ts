import type { ReadAnswer } from '../cache/cache.ts';
import { decodeValue } from '../cache/value.ts';
import { writeThrough } from '../cache/write.ts';
import { type SqlValue, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { claimMembers, recordChanged } from './claimed-uploads.ts';
import { cutColumns, generationsOf } from './generations.ts';
import { OWNER } from './list.ts';
import {
  type Condition,
  columnNamed,
  type OwnRecord,
  ownStanding,
  shown,
  sqlValue,
  type Target,
} from './own-records.ts';
import { type ResourceRecord, resourceKey } from './records.ts';
import type { Members } from './resource.ts';
import { recordName, uploadColumns } from './upload-columns.ts';

/** A deleted record is deleted once more with success for so long. Its row goes later. */
const DELETED_AGAIN_MS = 86_400_000;

/**
 * Gives the record new members; it keeps those that are not given. `cached`: what admission read under its key. Throws NOT_FOUND (also for another user's
 * record), VERSION_MISMATCH, INVALID_INPUT (an upload that cannot be used), EngineError.
 */
export async function changeOwn(
  target: Target,
  version: number,
  given: Members,
  cached: ReadAnswer | undefined,
): Promise<OwnRecord> {
  const { resource } = target;
  const inCache = cachedRecord(target, cached);
  // The answer has members that were not given, so they must be those of this version.
  const known = inCache?.version === version ? inCache : undefined;
  const changed = await onStanding(target, known, async (standing, generations) => {
    const claimant = {
      record: recordName(resource, target.id),
      userId: String(standing[OWNER]),
      appId: target.uploadsOf,
    };
    const { members, conditions, release } = await claimMembers(resource, claimant, given);
    const columns = Object.keys(members).map((member) => columnNamed(resource, member));
    const work = async (): Promise<OwnRecord | 'moved'> => {
      const changes = [...columns.map(({ column }) => `${column} = ?`), 'version = version + 1'];
      const values = columns.map((column) => sqlValue(column, members));
      const isCurrent = standing.version === version;
      const applied = isCurrent && (await applyTo(target, standing, changes, values, version, conditions));
      if (applied) return shown(resource, { ...standing, ...members, version: version + 1 });
      const now = await ownStanding(target);
      if (!now || now.deletedAt !== null) throw new AppError('NOT_FOUND');
      generations.push(...generationsOf(resource, now.record));
      // Applied before, and the answer was lost.
      if (now.record.version === version + 1 && has(now.record, members)) return now.record;
      if (now.record.version !== version) throw new AppError('VERSION_MISMATCH');
      return 'moved';
    };
    return writeThrough(work, [resourceKey(resource, target.id)], generations).catch(async (error: unknown) => {
      if (error instanceof AppError) await release();
      throw error;
    });
  });
  if (uploadColumns(resource).some(({ member }) => member in given)) await recordChanged(resource, target.id);
  return changed;
}

/** Deletes the record. `version` undefined: any. Throws NOT_FOUND, VERSION_MISMATCH, EngineError. */
export async function removeOwn(
  target: Target,
  version: number | undefined,
  cached: ReadAnswer | undefined,
): Promise<void> {
  const { resource, userId } = target;
  const cutByOwner = cutColumns(resource).every(({ member }) => member === OWNER);
  const known = cutByOwner && userId !== undefined ? { [OWNER]: userId } : cachedRecord(target, cached);
  await onStanding(target, known, (standing, generations) => {
    const work = async (): Promise<'deleted' | 'moved'> => {
      const changes = ['deleted_at = NOW(3)', 'version = version + 1'];
      if (await applyTo(target, standing, changes, [], version)) return 'deleted';
      const now = await ownStanding(target);
      if (!now) throw new AppError('NOT_FOUND');
      // Who deleted it may not have ended its pages yet, and it may have moved since it was cached.
      generations.push(...generationsOf(resource, now.record));
      if (now.deletedAt !== null) {
        if (Date.now() - now.deletedAt > DELETED_AGAIN_MS) throw new AppError('NOT_FOUND');
        return 'deleted';
      }
      if (version !== undefined && now.record.version !== version) throw new AppError('VERSION_MISMATCH');
      return 'moved';
    };
    return writeThrough(work, [resourceKey(resource, target.id)], generations);
  });
  await recordChanged(resource, target.id);
}

/**
 * Runs a write with the members that the record had when it was read. `moved`: an operator has changed one of the fixed
 * members meanwhile, so it runs once more with the new ones.
 */
async function onStanding<T>(
  target: Target,
  known: Readonly<Record<string, unknown>> | undefined,
  write: (
    standing: Readonly<Record<string, unknown>>,
    generations: ReturnType<typeof generationsOf>,
  ) => Promise<T | 'moved'>,
): Promise<T> {
  let standing = known;
  for (let attempt = 0; attempt < 3; attempt++) {
    standing ??= (await ownStanding(target))?.record;
    if (!standing) break;
    const result = await write(standing, generationsOf(target.resource, standing));
    if (result !== 'moved') return result as T;
    standing = undefined;
  }
  throw new AppError('NOT_FOUND');
}

/** One UPDATE under all conditions. false: it did not apply. */
async function applyTo(
  { resource, id, userId }: Target,
  standing: Readonly<Record<string, unknown>>,
  changes: readonly string[],
  values: readonly SqlValue[],
  version: number | undefined,
  more: readonly Condition[] = [],
): Promise<boolean> {
  const guards = cutColumns(resource).map(({ member, column }) => [column, standing[member] as SqlValue] as const);
  if (userId !== undefined) guards.push([columnNamed(resource, OWNER).column, userId]);
  if (version !== undefined) guards.push(['version', version]);
  const conditions = [...guards.map(([column]) => `${column} = ?`), ...more.map(([condition]) => condition)]
    .map((condition) => ` AND ${condition}`)
    .join('');
  const { rowsAffected } = await writeRepeatably(
    `UPDATE ${resource.table} SET ${changes.join(', ')} WHERE id = ? AND deleted_at IS NULL${conditions}`,
    [...values, id, ...guards.map(([, value]) => value), ...more.flatMap(([, bound]) => bound)],
  );
  return rowsAffected > 0;
}

/** The record as admission saw it in the cache, which may be old. undefined: it was not there, or is another user's. */
function cachedRecord({ userId }: Target, answer: ReadAnswer | undefined): ResourceRecord | undefined {
  const value = decodeValue(answer?.stored.replace(/^-?\d+;/, '') ?? '')?.value as ResourceRecord | undefined;
  return value && (userId === undefined || value[OWNER] === userId) ? value : undefined;
}

const has = (record: Readonly<Record<string, unknown>>, members: Members): boolean =>
  Object.entries(members).every(([member, value]) => record[member] === value);
