import { announceIds } from '../cache/existence-filter.ts';
import { sweepScript } from '../cache/scripts.ts';
import { FLOOR_MS, NO_FLOOR } from '../cache/write.ts';
import { retireFilter } from '../data/filter-builder.ts';
import { cutColumns, cutsOf, generationsOf } from '../data/generations.ts';
import { resourceKey } from '../data/records.ts';
import type { Resource } from '../data/resource.ts';
import { allResources } from '../data/resources.ts';
import { hasReplica, query, type Row, sqlTime } from '../db.ts';
import { type Key, keyFamily } from '../keys.ts';
import { batch, evaluate } from '../redis.ts';
import {
  appKey,
  channelKey,
  merchantsKey,
  miniProgramsKey,
  pluginsKey,
  productsKey,
  userFieldsKey,
  userVersionKey,
} from '../swept-keys.ts';

/**
 * The outbox of the cache: every cached table has `updated_at` with an index. If a delete of a key did not happen (it
 * failed, its writer crashed, or another tool wrote the row), the row is found here and its key deleted within a
 * minute.
 */
interface SweptTable {
  table: string;
  id: string;
  /** The version is 0 for rows that have none. */
  keysOf(id: string): Key[];
  /** Columns by which lists are cut, and the generations of lists that a row ends. */
  cutBy?: readonly string[];
  generationsOf?(row: Row): Key[];
  /** Fills may come from replicas, if there are any: the sweep leaves floors. Never true for strict families. */
  fromReplicas: boolean;
  /**
   * Called with the ids of existing rows before their keys are deleted. `before`: how many ids this run passed so far.
   */
  exists?(ids: string[], before: number): Promise<void>;
}

/** Longer than any statement runs, so that the sweep misses no late commit. */
const OVERLAP_MS = 60_000;
/** No cached value is older than this. Rows changed earlier need no sweep. */
const LOOK_BACK_MS = 1_400_000;
const SLICE = 500;

const positionKey = keyFamily<[string]>({
  area: 'cache',
  name: 'swept',
  version: 1,
  parts: ['id'],
  ttlSeconds: 86_400,
});

/** The position of a sweep: after this row, or (without id) at this time. RFC 3339, by the clock of MySQL. */
interface Position {
  at: string;
  afterId?: string;
  /** The begin of the unfinished sweep. */
  startedAt?: string;
}

/** The rows of a resource: their cached records, and the pages of the lists that have them. */
export const sweptResource = (resource: Resource): SweptTable => ({
  table: resource.table,
  id: 'id',
  keysOf: (id) => [resourceKey(resource, id)],
  fromReplicas: true,
  cutBy: cutColumns(resource).map(({ column }) => column),
  generationsOf: (row) => generationsOf(resource, cutsOf(resource, row)),
  ...(resource.filtered && { exists: (ids, before) => announceChanged(resource, ids, before) }),
});

export const sweptTables = (): SweptTable[] => [
  ...allResources().map(sweptResource),
  {
    table: 'apps',
    id: 'app_id',
    keysOf: (id) => [appKey(id), userFieldsKey(id), miniProgramsKey()],
    fromReplicas: false,
  },
  { table: 'users', id: 'user_id', keysOf: (id) => [userVersionKey(id)], fromReplicas: false },
  { table: 'plugins', id: 'plugin_id', keysOf: () => [pluginsKey()], fromReplicas: false },
  { table: 'channels', id: 'channel', keysOf: (id) => [channelKey(id)], fromReplicas: false },
  { table: 'products', id: 'product_id', keysOf: () => [productsKey()], fromReplicas: false },
  { table: 'mini_programs', id: 'wechat_appid', keysOf: () => [miniProgramsKey()], fromReplicas: false },
  { table: 'merchants', id: 'provider', keysOf: () => [merchantsKey()], fromReplicas: false },
  { table: 'app_merchants', id: 'app_id', keysOf: () => [merchantsKey()], fromReplicas: false },
];

/** Up to this many ids are announced to a filter. For more, the filter is built again. */
const MAX_ANNOUNCED = 5_000;

async function announceChanged(resource: Resource, ids: string[], before: number): Promise<void> {
  if (before + ids.length <= MAX_ANNOUNCED) await announceIds(resource.name, ids);
  else if (before <= MAX_ANNOUNCED) await retireFilter(resource.name);
}

/**
 * Deletes the keys of all rows changed since 60 s before the last run. If it does not finish by `stopAt`, the next run
 * continues it. Throws EngineError.
 */
export async function sweepChangedRows(
  tables: readonly SweptTable[],
  stopAt: number,
): Promise<{ rows: number; whole: boolean }> {
  const stored = await batch(tables.map(({ table }) => ['get', positionKey(table)] as const));
  const [clock] = await query('SELECT NOW(3) AS now');
  const startedAt = String(clock?.now);
  let rows = 0;
  let whole = true;
  for (const [index, table] of tables.entries()) {
    const position = parsePosition(stored[index]) ?? { at: startedAt };
    const swept = await sweepTable(table, position, startedAt, stopAt);
    rows += swept.rows;
    whole &&= swept.whole;
  }
  return { rows, whole };
}

function parsePosition(stored: unknown): Position | undefined {
  if (typeof stored !== 'string') return undefined;
  try {
    const position = JSON.parse(stored) as Position;
    return Number.isNaN(Date.parse(position.at)) ? undefined : position;
  } catch {
    return undefined;
  }
}

async function sweepTable(table: SweptTable, from: Position, now: string, stopAt: number) {
  let position = from.afterId === undefined ? { ...from, at: overlapped(from.at, now) } : from;
  const startedAt = from.startedAt ?? now;
  let rows = 0;
  while (Date.now() < stopAt) {
    const changed = await changedRows(table, position);
    await sweepRows(table, changed, rows);
    rows += changed.length;
    const last = changed.at(-1);
    if (!last || changed.length < SLICE) {
      await savePosition(table, { at: startedAt });
      return { rows, whole: true };
    }
    position = { at: last.updatedAt, afterId: last.id, startedAt };
    await savePosition(table, position);
  }
  return { rows, whole: false };
}

/** Without a known position (the first run, or a flush), all rows that may be cached are swept. */
const overlapped = (at: string, now: string): string =>
  new Date(
    at === now ? Date.parse(now) - LOOK_BACK_MS : Math.max(Date.parse(at) - OVERLAP_MS, Date.parse(now) - LOOK_BACK_MS),
  ).toISOString();

interface ChangedRow {
  id: string;
  version: number;
  exists: boolean;
  updatedAt: string;
  row: Row;
}

async function changedRows(
  { table, id, fromReplicas, cutBy = [] }: SweptTable,
  { at, afterId }: Position,
): Promise<ChangedRow[]> {
  const gone = fromReplicas ? 'deleted_at' : 'NULL';
  const where =
    afterId === undefined
      ? 'updated_at >= ?'
      : `updated_at >= ? AND (updated_at > ? OR (updated_at = ? AND ${id} > ?))`;
  const time = sqlTime(at);
  const rows = await query(
    `SELECT ${[`${id} AS id`, 'version', 'updated_at', `${gone} AS gone`, ...cutBy].join(', ')} FROM ${table} WHERE ${where} ORDER BY updated_at, ${id} LIMIT ${SLICE}`,
    afterId === undefined ? [time] : [time, time, time, afterId],
  );
  return rows.map((row) => ({
    id: String(row.id),
    version: Number(row.version),
    exists: row.gone === null,
    updatedAt: String(row.updated_at),
    row,
  }));
}

async function sweepRows(table: SweptTable, rows: ChangedRow[], before: number): Promise<void> {
  if (rows.length === 0) return;
  await table.exists?.(
    rows.filter(({ exists }) => exists).map(({ id }) => id),
    before,
  );
  const spoiled = new Map<Key, number | string>(
    rows.flatMap(({ id, version }) => table.keysOf(id).map((key) => [key, version] as const)),
  );
  for (const { row } of rows) for (const key of table.generationsOf?.(row) ?? []) spoiled.set(key, NO_FLOOR);
  const floorMs = table.fromReplicas && hasReplica() ? FLOOR_MS : 0;
  await evaluate(sweepScript, [...spoiled.keys()], [floorMs, ...spoiled.values()]);
}

async function savePosition({ table }: SweptTable, position: Position): Promise<void> {
  await batch([['psetex', positionKey(table), positionKey.family.ttlSeconds * 1000, JSON.stringify(position)]]);
}
