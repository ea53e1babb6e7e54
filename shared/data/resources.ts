import * as v from 'valibot';
import type { CacheRead } from '../admission/request.ts';
import type { CachePolicy, Load, Loaded } from '../cache/cache.ts';
import { filterCheck } from '../cache/existence-filter.ts';
import { query, queryReplica, type SqlValue, sqlTime } from '../db.ts';
import { AppError } from '../errors.ts';
import { type Key, keyFamily } from '../keys.ts';
import { checkRules, type LockRule } from '../lock/rule.ts';
import type { CurrentUser } from '../session/session.ts';

/**
 * Business data that is read through the cache. A resource is declared here and nowhere else: reading, writing,
 * warming, sweeping and the existence filter all work over this registry.
 */
export interface Resource {
  name: string;
  table: string;
  /** Who may read: anyone with an access_token, or only the user whose id stands in `userId`. */
  readers: 'app' | 'owner';
  /** Members in the order of the answer, with their columns. `id` is a string outside. */
  columns: Array<{ member: string; column: string; kind: 'text' | 'integer' | 'time' }>;
  /** What `data put` takes: all members but `id`. */
  input: v.GenericSchema<Record<string, unknown>, Record<string, unknown>>;
  cache: CachePolicy;
  /** An existence filter guards it against floods of random ids. */
  filtered: boolean;
  rules: readonly LockRule[];
  /** Values are big (8 KB and more): they are fetched beside the admission script, not through it. */
  apart: boolean;
  /** This many of the newest records are kept warm, whether or not anyone has asked for them yet. */
  warmNewest: number;
}

type ResourceRecord = { id: string } & Record<string, unknown>;

const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const fen = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(4_294_967_295));
const time = v.pipe(v.string(), v.isoTimestamp());
const userId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/));

/** Misses are what an attacker with random ids can still cause: they are locked per app and address. */
const misses: LockRule = {
  name: 'misses',
  by: ['app', 'ip'],
  limit: 1_200,
  windowSeconds: 60,
  count: 'miss',
  onError: 'open',
};
const policy: CachePolicy = { freshSeconds: 300, graceSeconds: 900, nullSeconds: 30 };

const declared: Resource[] = [
  {
    name: 'notice',
    table: 'notices',
    readers: 'app',
    columns: [
      { member: 'title', column: 'title', kind: 'text' },
      { member: 'body', column: 'body', kind: 'text' },
      { member: 'publishedAt', column: 'published_at', kind: 'time' },
    ],
    input: v.strictObject({ title: text(200), body: text(20_000), publishedAt: time }),
    cache: policy,
    filtered: true,
    rules: [misses],
    apart: true,
    warmNewest: 20,
  },
  {
    name: 'service',
    table: 'services',
    readers: 'app',
    columns: [
      { member: 'name', column: 'name', kind: 'text' },
      { member: 'description', column: 'description', kind: 'text' },
      { member: 'priceFen', column: 'price_fen', kind: 'integer' },
    ],
    input: v.strictObject({ name: text(200), description: text(20_000), priceFen: fen }),
    cache: policy,
    filtered: true,
    rules: [misses],
    apart: false,
    warmNewest: 50,
  },
  {
    name: 'voucher',
    table: 'vouchers',
    readers: 'owner',
    columns: [
      { member: 'userId', column: 'user_id', kind: 'text' },
      { member: 'title', column: 'title', kind: 'text' },
      { member: 'amountFen', column: 'amount_fen', kind: 'integer' },
      { member: 'expiresAt', column: 'expires_at', kind: 'time' },
    ],
    input: v.strictObject({ userId, title: text(200), amountFen: fen, expiresAt: time }),
    cache: { freshSeconds: 60, graceSeconds: 300, nullSeconds: 30 },
    filtered: true,
    rules: [misses],
    apart: false,
    warmNewest: 0,
  },
];

for (const { name, rules } of declared) checkRules(`data:${name}`, rules);

const byName = new Map(declared.map((resource) => [resource.name, resource]));
export const allResources = (): readonly Resource[] => declared;

/** Throws UNKNOWN_RESOURCE. */
export function resourceNamed(name: string): Resource {
  const resource = byName.get(name);
  if (!resource) throw new AppError('UNKNOWN_RESOURCE');
  return resource;
}

const ID = /^[1-9][0-9]{0,15}$/;
/** Throws INVALID_KEY. */
export function checkId(id: string): string {
  if (!ID.test(id)) throw new AppError('INVALID_KEY');
  return id;
}

/** 1 to 100 ids, duplicates once. Throws INVALID_INPUT, INVALID_KEY. */
export function listedIds(text: string): string[] {
  const ids = [...new Set(text.split(',').map(checkId))];
  if (ids.length <= 100) return ids;
  throw new AppError('INVALID_INPUT', undefined, { errors: [{ path: 'query.ids', message: 'expected 1 to 100 ids' }] });
}

const recordKey = keyFamily<[string, string]>({
  area: 'cache',
  name: 'data',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: 1_400,
});
export const resourceKey = (resource: Resource, id: string): Key => recordKey(resource.name, checkId(id));

export const readOf = (resource: Resource, id: string): CacheRead => ({
  key: resourceKey(resource, id),
  hot: `${resource.name}:${id}`,
  ...(resource.apart && { kind: 'apart' }),
  ...(resource.filtered && { filter: filterCheck(resource.name, id) }),
});

/** Whether this caller may see the record: of an owned resource only its owner. */
export const isVisible = (resource: Resource, record: ResourceRecord | null, user: CurrentUser | undefined): boolean =>
  record !== null && (resource.readers === 'app' || record.userId === user?.userId);

/** Loads ids in one statement; `fresh` asks the primary. Ids that the table does not have are null. */
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
      const members = resource.columns.map(({ member, column }) => [member, row[column]]);
      return { value: { id, ...Object.fromEntries(members) }, version: Number(row.version) };
    });
  };
}

/** The upsert of `data put`: validated members, a new version, and it brings a deleted row back. */
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
    [checkId(id), ...values],
  ];
}

export const deleteStatement = (resource: Resource, id: string): [string, SqlValue[]] => [
  `UPDATE ${resource.table} SET deleted_at = NOW(3), version = version + 1 WHERE id = ? AND deleted_at IS NULL`,
  [checkId(id)],
];

/** Ids of the newest records, for warming. */
export async function newestIds(resource: Resource): Promise<string[]> {
  if (resource.warmNewest === 0) return [];
  const rows = await query(
    `SELECT id FROM ${resource.table} WHERE deleted_at IS NULL ORDER BY id DESC LIMIT ${resource.warmNewest}`,
  );
  return rows.map(({ id }) => String(id));
}

/** Throws EngineError, also when a table is too big to be counted in the time a statement has. */
export async function countRows(resource: Resource): Promise<number> {
  const [row] = await query(`SELECT COUNT(*) AS n FROM ${resource.table}`);
  return Number(row?.n);
}

/** The next ids in order, for the existence filter. */
export async function idsAfter(resource: Resource, afterId: string, limit: number): Promise<string[]> {
  const rows = await query(
    `SELECT id FROM ${resource.table} WHERE id > ? AND deleted_at IS NULL ORDER BY id LIMIT ${limit}`,
    [afterId],
  );
  return rows.map(({ id }) => String(id));
}
