import { beforeAll, expect, test } from 'vitest';
import type { Period } from '../../shared/recharge/books/china-day.ts';
import { ENTRIES, slicesOf } from '../../shared/recharge/books/slices.ts';
import { openShop, type Shop } from '../support/recharge-fixture.ts';

const BEGIN = Date.parse('2026-03-10T00:00:00Z');
/** Milliseconds after the beginning. Five entries have one moment, which is more than a slice may have. */
const MOMENTS = [0, 1, 2, 7, 7, 7, 7, 7, 8, 9, 20, 30];
const at = (ms: number): string => new Date(BEGIN + ms).toISOString();

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
  const rows = MOMENTS.map((ms, i) => ['a', `u${i}`, 'coin', 1, 1, 1, 'grant', `G${i}`, 'x', new Date(BEGIN + ms)]);
  await shop.stack.mysql.query(
    `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, created_at)
     VALUES ?`,
    [rows],
  );
});

async function slices(from: string, to: string, entries: number): Promise<Period[]> {
  const found: Period[] = [];
  for await (const slice of slicesOf({ ...ENTRIES, rows: entries }, from, to)) found.push(slice);
  return found;
}

test.each([1, 2, 3, 5, 100])('slices of %i entries follow each other and have each entry once', async (entries) => {
  const found = await slices(at(0), at(30), entries);
  expect(found[0]?.from).toBe(at(0));
  expect(found.at(-1)?.to).toBe(at(30));
  expect(found.slice(1).map(({ from }) => from)).toEqual(found.slice(0, -1).map(({ to }) => to));
  const held = MOMENTS.map((ms) => found.filter(({ from, to }) => at(ms) >= from && at(ms) < to).length);
  // The last entry is at the end of the period, and is not in it.
  expect(held).toEqual([...MOMENTS.slice(1).map(() => 1), 0]);
});

test('a slice has no more entries than asked for, except those of its last moment', async () => {
  for (const { from, to } of await slices(at(0), at(30), 3)) {
    const inside = MOMENTS.filter((ms) => at(ms) >= from && at(ms) < to);
    const last = inside.at(-1) ?? 0;
    expect(inside.filter((ms) => ms < last).length).toBeLessThanOrEqual(3);
  }
});

test('an empty period has no slices', async () => {
  expect(await slices(at(5), at(5), 3)).toEqual([]);
  expect(await slices(at(9), at(5), 3)).toEqual([]);
});
