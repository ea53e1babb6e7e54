import { integerOr } from '../config.ts';
import { repeatOnContention } from '../contention.ts';
import { query, sqlTime, write } from '../db.ts';
import { AppError, ER_DUP_ENTRY, invalidInput, SqlError } from '../errors.ts';
import { orderNumber, requestHash } from './numbers.ts';
import { findOrder, type Order } from './order.ts';
import type { OrderTerms } from './provider.ts';

/** An order can be paid for this long. */
const ORDER_SECONDS = 1_800;
/** After this time the sweeper asks the provider for the first time, if no notification came. */
const FIRST_CHECK_SECONDS = 15;

/** How many orders a user may have at an app that are neither paid nor closed. */
const maxOpenOrders = integerOr('MAX_OPEN_ORDERS', 50);

export interface OrderRequest {
  appId: string;
  userId: string;
  idempotencyKey: string;
  productId: string;
  provider: string;
}

interface NewOrder extends OrderRequest {
  providerAppId: string;
  merchantId: string;
  terms: OrderTerms;
  /** As the cache has it. null: the provider is not told it. */
  title: string | null;
}

/** What is needed to pay an order. `isNew`: this call made it. */
export type CreatedOrder = Pick<
  Order,
  'orderNo' | 'provider' | 'providerAppId' | 'merchantId' | 'amountFen' | 'status' | 'expiresAt'
> &
  Pick<Order, 'title' | 'payerOpenid' | 'notifyUrl'> & { isNew: boolean };

/**
 * One statement, and one more for a repeated call. The statement reads price and title from the catalogue, and locks the row
 * of the user, so that an account that is erased at the same time gets no order. The order number
 * is derived from the idempotency key. Throws INVALID_INPUT (no such product), IDEMPOTENCY_KEY_REUSED (another body),
 * QUOTA_REACHED (too many open orders).
 */
export async function createOrder(wanted: NewOrder, now = Date.now()): Promise<CreatedOrder> {
  const { userId, productId, provider, providerAppId, merchantId, terms, title } = wanted;
  const orderNo = numberOf(wanted);
  const expiresAt = new Date(now + ORDER_SECONDS * 1000).toISOString();
  const created = await insertOrder(wanted, orderNo, expiresAt);
  if (created && (title === null || created.titleIsSame)) {
    const bound = { orderNo, provider, providerAppId, merchantId };
    return { ...bound, ...terms, amountFen: created.amountFen, status: 'pending', expiresAt, title, isNew: true };
  }
  // The row has the title that counts: it is sent again when the call is repeated.
  const order = await findRepeated(wanted);
  if (order) return { ...order, isNew: created !== null };
  throw await whyNotCreated(userId, productId);
}

/** The order that this call made before. null: none. Throws IDEMPOTENCY_KEY_REUSED. */
export async function findRepeated(wanted: OrderRequest): Promise<Order | null> {
  const order = await findOrder(numberOf(wanted));
  if (order && order.requestHash !== hashOf(wanted)) throw new AppError('IDEMPOTENCY_KEY_REUSED');
  return order;
}

const numberOf = ({ appId, userId, idempotencyKey }: OrderRequest): string =>
  orderNumber(appId, userId, idempotencyKey);
const hashOf = ({ productId, provider }: OrderRequest): string => requestHash({ productId, provider });

const OPEN = "FROM recharge_orders n WHERE n.app_id = ? AND n.user_id = ? AND n.status = 'pending'";

/** null: no row was written by this call, or its answer was lost. */
async function insertOrder(
  wanted: NewOrder,
  orderNo: string,
  expiresAt: string,
): Promise<{ amountFen: number; titleIsSame: boolean } | null> {
  const { appId, userId, productId, provider, providerAppId, merchantId, terms, title } = wanted;
  const insert = () =>
    write(
      // LAST_INSERT_ID(n) is returned as insertId. It gives the price, and whether the title is the one that the
      // cache has (in the last bit), without a second statement.
      `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider,
         provider_app_id, merchant_id, amount_fen, currency, units, next_check_at, expires_at, title, payer_openid,
         notify_url)
       SELECT ?, ?, ?, p.asset, ?, p.product_id, ?, ?, ?,
              LAST_INSERT_ID(p.amount_fen * 2 + (p.title = CAST(? AS BINARY))) DIV 2, p.currency, p.units,
              NOW(3) + INTERVAL ${FIRST_CHECK_SECONDS} SECOND, ?, p.title, ?, ?
         FROM products p JOIN users u ON u.user_id = ? AND u.erased_at IS NULL
        WHERE p.product_id = ? AND p.active = 1 AND (SELECT COUNT(*) ${OPEN}) < ?`,
      [
        ...[
          orderNo,
          appId,
          userId,
          hashOf(wanted),
          provider,
          providerAppId,
          merchantId,
          title ?? '',
          sqlTime(expiresAt),
        ],
        ...[terms.payerOpenid, terms.notifyUrl, userId, productId, appId, userId, maxOpenOrders()],
      ],
    );
  try {
    // The count locks a part of its index, so of several calls of one user at the same time some have to try again.
    const { rowsAffected, insertId } = await repeatOnContention(insert, { lostAnswers: true, tries: 8 });
    const price = Number(insertId);
    return rowsAffected === 1 && price > 1 ? { amountFen: Math.floor(price / 2), titleIsSame: price % 2 === 1 } : null;
  } catch (error) {
    if (error instanceof SqlError && error.errno === ER_DUP_ENTRY) return null;
    throw error;
  }
}

async function whyNotCreated(userId: string, productId: string): Promise<AppError> {
  const [found] = await query(
    `SELECT EXISTS (SELECT 1 FROM users WHERE user_id = ? AND erased_at IS NULL) AS present,
            EXISTS (SELECT 1 FROM products WHERE product_id = ? AND active = 1) AS offered`,
    [userId, productId],
  );
  if (Number(found?.present) === 0) return new AppError('SESSION_REVOKED');
  if (Number(found?.offered) === 0) return invalidInput({ path: 'productId', message: 'no such product' });
  return new AppError(
    'QUOTA_REACHED',
    `At most ${maxOpenOrders()} orders may be open; pay one, or wait until one ends.`,
  );
}
