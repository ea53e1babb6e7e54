import { query, withTransaction } from '../db.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { demand, isCount, MAX_UNITS } from './catalogue.ts';

/** What users can spend units on by themselves (row C7 (recharge)). The price is in units, and the server knows it. */
export interface Item {
  itemId: string;
  title: string;
  amount: number;
  /** false: nobody can buy it. */
  active: boolean;
}

/**
 * Adds an item, changes it, or switches it off, with a row in the operator log. What was spent keeps its price. Throws
 * INVALID_INPUT.
 */
export async function putItem(item: Item, actor: string): Promise<void> {
  const { itemId, title, amount, active } = item;
  demand(/^[A-Za-z0-9_-]{1,64}$/.test(itemId), 'itemId', 'expected 1 to 64 of A-Z a-z 0-9 _ -');
  demand(title.length >= 1 && title.length <= 100 && !/\p{Cc}/u.test(title), 'title', 'expected 1 to 100 characters');
  demand(isCount(amount, MAX_UNITS), 'amount', 'expected a positive integer');
  await withTransaction(async ({ write }) => {
    await write(
      `INSERT INTO items (item_id, title, amount, active) VALUES (?, ?, ?, ?)
       ON DUPLICATE KEY UPDATE title = VALUES(title), amount = VALUES(amount), active = VALUES(active),
         version = version + 1`,
      [itemId, title, amount, active ? 1 : 0],
    );
    await write(...operatorLogStatement({ actor, action: 'item.put', subject: itemId, detail: { ...item } }));
  });
}

/** All items, also those that are switched off. */
export async function listItems(): Promise<Item[]> {
  const rows = await query('SELECT item_id, title, amount, active FROM items ORDER BY item_id');
  return rows.map((row) => ({
    itemId: String(row.item_id),
    title: String(row.title),
    amount: Number(row.amount),
    active: Number(row.active) === 1,
  }));
}
