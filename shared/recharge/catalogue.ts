import type { CacheRead } from '../admission/request.ts';
import { type CachePolicy, type Load, NOT_READ, type ReadAnswer, settleReads } from '../cache/cache.ts';
import { writeThrough } from '../cache/write.ts';
import { query, type Row, withTransaction } from '../db.ts';
import { invalidInput } from '../errors.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { productsKey } from '../swept-keys.ts';

/** What can be bought (row C7 (recharge)). Orders take the price from this table, never from a caller. */
interface Product {
  productId: string;
  title: string;
  /** Integer fen, at least 1. */
  amountFen: number;
  currency: string;
  /** The number of units that the wallet receives. */
  units: number;
  asset: string;
}

/** The only kind of unit in wallets. */
export const ASSET = 'coin';

const KEY = productsKey();
const POLICY: CachePolicy = { freshSeconds: 60, graceSeconds: 3_600, nullSeconds: 30 };

export const catalogueRead = (): CacheRead => ({ key: KEY });

const load: Load<Product[]> = async () => {
  const rows = await query(
    `SELECT product_id, title, amount_fen, currency, units, asset FROM products
      WHERE active = 1 ORDER BY amount_fen, product_id LIMIT 500`,
  );
  return [{ value: rows.map(productFromRow), version: 0 }];
};

const productFromRow = (row: Row): Product => ({
  productId: String(row.product_id),
  title: String(row.title),
  amountFen: Number(row.amount_fen),
  currency: String(row.currency),
  units: Number(row.units),
  asset: String(row.asset),
});

/** Makes the list of products on sale from the answer of admission's read. */
export async function productsFrom(leaseId: string, answer: ReadAnswer = NOT_READ): Promise<Product[]> {
  const [found] = await settleReads(leaseId, [KEY], [answer], POLICY, load);
  return found?.value ?? [];
}

const MAX_FEN = 1_000_000_000;
export const MAX_UNITS = 1_000_000_000;

interface WantedProduct {
  productId: string;
  title: string;
  amountFen: number;
  units: number;
  active?: boolean;
}

/**
 * Adds a product, changes it, or takes it off sale, with a row in the operator log. Existing orders keep their price.
 * Throws INVALID_INPUT.
 */
export async function putProduct(product: WantedProduct, actor: string): Promise<void> {
  const { productId, title, amountFen, units, active = true } = product;
  demand(/^[A-Za-z0-9_-]{1,64}$/.test(productId), 'productId', 'expected 1 to 64 of A-Z a-z 0-9 _ -');
  demand(title.length >= 1 && title.length <= 100 && !/\p{Cc}/u.test(title), 'title', 'expected 1 to 100 characters');
  demand(isCount(amountFen, MAX_FEN), 'amountFen', 'expected a positive integer');
  demand(isCount(units, MAX_UNITS), 'units', 'expected a positive integer');
  await writeThrough(
    () =>
      withTransaction(async ({ write }) => {
        await write(
          `INSERT INTO products (product_id, title, amount_fen, units, asset, active) VALUES (?, ?, ?, ?, ?, ?)
           ON DUPLICATE KEY UPDATE title = VALUES(title), amount_fen = VALUES(amount_fen), units = VALUES(units),
             active = VALUES(active), version = version + 1`,
          [productId, title, amountFen, units, ASSET, active ? 1 : 0],
        );
        const change = { actor, action: 'product.put', subject: productId, detail: { ...product } };
        await write(...operatorLogStatement(change));
      }),
    () => [KEY],
  );
}

/** All products, also those that are no longer on sale, for the operator. */
export async function listProducts(): Promise<Array<Product & { active: boolean }>> {
  const rows = await query(
    'SELECT product_id, title, amount_fen, currency, units, asset, active FROM products ORDER BY amount_fen, product_id',
  );
  return rows.map((row) => ({ ...productFromRow(row), active: Number(row.active) === 1 }));
}

export const isCount = (value: number, max: number): boolean =>
  Number.isSafeInteger(value) && value >= 1 && value <= max;

export function demand(holds: boolean, path: string, message: string): void {
  if (!holds) throw invalidInput({ path, message });
}
