import type { Connection, RowDataPacket } from 'mysql2/promise';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { columnOf, OWNER } from '../../shared/data/list.ts';
import { type PageRequest, pageStatement } from '../../shared/data/list-statement.ts';
import type { List, Resource } from '../../shared/data/resource.ts';
import { allResources, getResource } from '../../shared/data/resources.ts';
import { freshDatabase } from '../support/engines.ts';

/** Every declared list, over its own table and index. A new list is tested without a change here. */
const LISTED = allResources().filter(({ lists = [] }) => lists.length > 0);
const FEW = LISTED.map((resource) => ({ resource, count: 1_000 }));
/** A list of all, with and without a filter, and lists of owners. */
const MANY = ['service', 'booking'].map((name) => ({ resource: getResource(name), count: 100_000 }));
/** With a condition on the index, InnoDB reads eight rows at once. */
const PREFETCHED = 8;
/** So many records have the same sort value. */
const TIED = 50;
/** This part of the records, in the order of the list, is deleted. */
const [GONE_FROM, GONE_TO] = [0.2, 0.7];

let mysql: Connection;
let drop: () => Promise<void>;
beforeAll(async () => {
  const { drop: dropped, host, port, user, password, database } = await freshDatabase('growth', 'migrated');
  mysql = await createConnection({ host, port, user, password, database, timezone: 'Z' });
  drop = dropped;
});
afterAll(async () => {
  mysql.destroy();
  await drop();
});

/** The conditions of the list, which all records meet. */
const equalsOf = ({ filters = [], owner }: List): PageRequest['equals'] => [
  ...filters.map((filter) => ({ member: filter.member, value: 'values' in filter ? (filter.values[0] ?? '') : '1' })),
  ...(owner ? [{ member: OWNER, value: 'u' }] : []),
];

/** The sort value of the record at this place of `count`, as MySQL computes it. */
const rankOf = (count: number) => `FLOOR(seq * ${count / TIED} / ${count})`;

/** The numbers from 1 to a power of ten, in a way that both MariaDB and MySQL know. */
function numbersTo(count: number): string {
  const digits = Array.from({ length: 10 }, (_, digit) => `SELECT ${digit} AS d`).join(' UNION ALL ');
  const places = Array.from({ length: Math.log10(count) }, (_, place) => place);
  const seq = places.map((place) => `${10 ** place} * p${place}.d`).join(' + ');
  return `SELECT 1 + ${seq} AS seq FROM ${places.map((place) => `(${digits}) p${place}`).join(', ')}`;
}

async function fill({ table, lists = [], columns }: Resource, count: number): Promise<void> {
  await mysql.query(`TRUNCATE TABLE ${table}`);
  const constants = new Map(lists.flatMap(equalsOf).map(({ member, value }) => [member, value]));
  const sorted = new Set(lists.map(({ sort }) => sort.member));
  const values = columns.map(({ member, kind }) => {
    if (constants.has(member)) return `'${constants.get(member)}'`;
    if (kind === 'time') return `'2026-01-01' + INTERVAL ${sorted.has(member) ? rankOf(count) : 0} MINUTE`;
    if (kind === 'integer') return sorted.has(member) ? rankOf(count) : '1';
    return "'1'";
  });
  const names = columns.map(({ column }) => column);
  await mysql.query(
    `INSERT INTO ${table} (id, deleted_at, ${names.join(', ')})
     SELECT seq, IF(seq >= ${count * GONE_FROM} AND seq < ${count * GONE_TO}, NOW(3), NULL), ${values.join(', ')}
     FROM (${numbersTo(count)}) numbers`,
  );
}

/** The cursor after the record with this id, which need not be alive. */
async function placeAt(resource: Resource, { sort }: List, id: number): Promise<PageRequest['after']> {
  const column = columnOf(resource, sort.member);
  if (!column) return { depth: 1, id: String(id), value: '' };
  const [[row]] = await mysql.query<RowDataPacket[]>(
    `SELECT ${column.column} AS v FROM ${resource.table} WHERE id = ?`,
    [id],
  );
  return { depth: 1, id: String(id), value: String(row?.v instanceof Date ? row.v.getTime() : row?.v) };
}

/** Rows that the engine looked at, by the way in which it did. */
async function examined(resource: Resource, request: PageRequest) {
  await mysql.query('FLUSH STATUS');
  const [rows] = await mysql.query<RowDataPacket[]>(...pageStatement(resource, request));
  const [status] = await mysql.query<RowDataPacket[]>("SHOW SESSION STATUS LIKE 'Handler%'");
  const counted = status.filter((row) => /^Handler_(read|icp_attempts)/.test(row.Variable_name));
  const by = Object.fromEntries(counted.map((row) => [row.Variable_name as string, Number(row.Value)]));
  return { rows: rows.length, status: by };
}

test.each([...FEW, ...MANY])(
  'a page of a list of $resource.name examines as many rows as it has, of $count records, half of them deleted',
  async ({ resource, count }) => {
    await fill(resource, count);
    for (const list of resource.lists ?? []) {
      const down = list.sort.direction === 'descending';
      const places = {
        first: undefined,
        middle: await placeAt(resource, list, count * (down ? 0.9 : 0.1)),
        'among ties': await placeAt(resource, list, count * (down ? 0.9 : 0.1) + TIED / 2),
        'before the deleted half': await placeAt(resource, list, down ? count * GONE_TO : count * GONE_FROM - 1),
      };
      for (const [place, after] of Object.entries(places)) {
        for (const size of list.sizes) {
          const found = await examined(resource, { list, equals: equalsOf(list), size, after });
          expect(found.rows).toBe(size + 1);
          const more = Object.entries(found.status).filter(([, rows]) => rows > size + 1 + PREFETCHED);
          expect({ list: list.name, place, size, more }).toEqual({ list: list.name, place, size, more: [] });
        }
      }
    }
  },
);
