import { GENERATION_MS } from '../cache/page-scripts.ts';
import type { Row, SqlValue } from '../db.ts';
import { type Key, keyFamily } from '../keys.ts';
import { columnOf } from './list.ts';
import type { Resource } from './resource.ts';

/**
 * Which lists a write touches. By default all lists of a resource have one generation. Lists that are cut by a member
 * have one for each value of it (see `per` of a list).
 */
const generationKey = keyFamily<[string, string]>({
  area: 'cache',
  name: 'generation',
  version: 1,
  parts: ['id', 'text'],
  ttlSeconds: GENERATION_MS / 1000,
});

/** `per`: the cut of a list, `value`: of that member. */
export const generationOf = (resource: Resource, per: string | undefined, value: unknown): Key =>
  generationKey(resource.name, per === undefined ? '' : `${per}=${value}`);

/** The generations that a write to a record with these members ends. Cuts whose member is not given are left out. */
export function generationsOf(resource: Resource, members: Readonly<Record<string, unknown>> = {}): Key[] {
  const cuts = new Set((resource.lists ?? []).map(({ per }) => per));
  return [...cuts]
    .filter((per) => per === undefined || per in members)
    .map((per) => generationOf(resource, per, per && members[per]));
}

/** The members by which lists are cut, with their columns. */
export function cutColumns(resource: Resource): Array<{ member: string; column: string }> {
  const cuts = new Set((resource.lists ?? []).flatMap(({ per }) => (per === undefined ? [] : [per])));
  return [...cuts].map((member) => ({ member, column: columnOf(resource, member)?.column ?? member }));
}

/** Selects the cut members of records, deleted ones too. */
export function cutStatement(resource: Resource, ids: readonly string[]): [string, SqlValue[]] {
  const columns = cutColumns(resource).map(({ column }) => column);
  return [
    `SELECT ${columns.join(', ')} FROM ${resource.table} WHERE id IN (${ids.map(() => '?').join(', ')})`,
    [...ids],
  ];
}

/** The cut members of a row. */
export const cutsOf = (resource: Resource, row: Row): Record<string, unknown> =>
  Object.fromEntries(cutColumns(resource).map(({ member, column }) => [member, row[column]]));
