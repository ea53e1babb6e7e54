import * as v from 'valibot';
import { announceIds } from '../cache/existence-filter.ts';
import { invalidate, writeThrough } from '../cache/write.ts';
import { writeRepeatably } from '../db.ts';
import { invalidInput } from '../errors.ts';
import { checkId, deleteStatement, putStatement, resourceKey } from './records.ts';
import type { Resource } from './resources.ts';

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
  const parsed = v.safeParse(resource.input, members);
  if (!parsed.success) {
    const errors = parsed.issues.map((issue) => ({ path: v.getDotPath(issue) ?? '', message: issue.message }));
    throw invalidInput(...errors);
  }
  const statement = putStatement(resource, id, parsed.output);
  if (resource.filtered) await announceIds(resource.name, [id]);
  await writeThrough(() => writeRepeatably(...statement), [resourceKey(resource, id)]);
}

/** false: there was no such record. Throws INVALID_KEY. */
export async function deleteResource(resource: Resource, id: string): Promise<boolean> {
  const statement = deleteStatement(resource, checkId(id));
  const { rowsAffected } = await writeThrough(() => writeRepeatably(...statement), [resourceKey(resource, id)]);
  return rowsAffected > 0;
}

/** For rows that other tools changed. Throws INVALID_KEY; EngineError if Redis did not delete the keys. */
export async function invalidateResource(resource: Resource, ids: readonly string[]): Promise<void> {
  ids.forEach(checkId);
  if (resource.filtered) await announceIds(resource.name, ids);
  await invalidate(ids.map((id) => resourceKey(resource, id)));
}
