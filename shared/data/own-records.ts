import { query, type Row, type SqlValue, sqlTime } from '../db.ts';
import { columnOf, OWNER } from './list.ts';
import { type ResourceRecord, recordOf } from './records.ts';
import type { Column, Members, Resource, Writers } from './resource.ts';

/**
 * Records that users write themselves, and server apps for them. Each write is one statement with its conditions
 * inside, so it is right whatever runs beside it, and safe to send again after a lost answer. Then the cached record and
 * the pages of all lists that have it, or had it, end.
 *
 * A write ends the pages of the record's cut members (see `per` of a list). It takes them from the cache or an earlier
 * read: the statement applies only if the record still has them.
 */
export type OwnResource = Resource & { writers: Writers };
export type OwnRecord = ResourceRecord & { version: number };

/** A condition of the statement that writes a record, besides its own ones. */
export type Condition = [condition: string, values: SqlValue[]];

/** Which record a call changes. `userId`: its owner; undefined: a server app may change everybody's. */
export interface Target {
  resource: OwnResource;
  id: string;
  userId: string | undefined;
  /** See Owner. */
  uploadsOf?: string | undefined;
}

export interface Standing {
  record: OwnRecord;
  madeBy: string;
  /** Unix milliseconds; null: it is not deleted. */
  deletedAt: number | null;
}

/** The row as it is in the primary, also of a deleted record. null: there is none. */
export async function findStanding(resource: Resource, id: string): Promise<Standing | null> {
  const [row] = await query(`SELECT ${standingColumns(resource)} FROM ${resource.table} WHERE id = ?`, [id]);
  return row ? standingOf(resource, id, row) : null;
}

/** The columns that `standingOf` reads. */
export const standingColumns = ({ columns }: Resource, prefix = ''): string =>
  ['made_by', 'version', 'deleted_at', ...columns.map(({ column }) => column)]
    .map((column) => `${prefix}${column}`)
    .join(', ');

export const standingOf = (resource: Resource, id: string, row: Row): Standing => ({
  record: recordOf(resource, id, row) as OwnRecord,
  madeBy: String(row.made_by ?? ''),
  deletedAt: row.deleted_at === null ? null : Date.parse(String(row.deleted_at)),
});

/** null: also a record of another user. */
export async function ownStanding({ resource, id, userId }: Target): Promise<Standing | null> {
  const standing = await findStanding(resource, id);
  return userId === undefined || standing?.record[OWNER] === userId ? standing : null;
}

export const shown = ({ columns }: Resource, record: Readonly<Record<string, unknown>>): OwnRecord =>
  ({
    id: record.id,
    ...Object.fromEntries(columns.map(({ member }) => [member, record[member]])),
    version: record.version,
  }) as OwnRecord;

export const sqlValue = ({ member, kind }: Column, record: Members): SqlValue => {
  const value = record[member] as string | number | null;
  return kind === 'time' && value !== null ? sqlTime(value) : value;
};

export const columnNamed = (resource: Resource, member: string): Column => {
  const column = columnOf(resource, member);
  if (!column) throw new Error(`${resource.name} has no member ${member}`);
  return column;
};
