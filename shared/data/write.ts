import * as v from 'valibot';
import { announceIds } from '../cache/existence-filter.ts';
import { invalidate, writeThrough } from '../cache/write.ts';
import { writeRepeatably } from '../db.ts';
import { invalidInput } from '../errors.ts';
import { checkId, deleteStatement, putStatement, resourceKey } from './records.ts';
import type { Resource } from './resources.ts';

/**
 * The write path of business data (row A9: all writes go to MySQL). One call = the commit, then the keys it spoils.
 * Whoever changes rows by other tools calls invalidateResource; until then, or cache-warm's next sweep, reads are old.
 */

/**
 * Inserts or replaces the record. The existence filter hears of it before the commit: while Redis is away nothing is
 * written. Throws INVALID_KEY, INVALID_INPUT, EngineError.
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

/** For rows that were changed elsewhere. Throws INVALID_KEY; EngineError when Redis did not do it. */
export async function invalidateResource(resource: Resource, ids: readonly string[]): Promise<void> {
  ids.forEach(checkId);
  if (resource.filtered) await announceIds(resource.name, ids);
  await invalidate(ids.map((id) => resourceKey(resource, id)));
}
