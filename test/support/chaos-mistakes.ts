import { repeatOnContention } from '../../shared/contention.ts';
import { type SqlValue, type Written, write } from '../../shared/db.ts';
import { findOrder } from '../../shared/recharge/order.ts';
import type { Payment } from '../../shared/recharge/payment.ts';
import { newUserId } from '../../shared/session/token.ts';

/** Two ways to write a credit that lose or double money. The chaos has to find both. */

/** A common mistake: the order is marked, then the balance is credited. After a crash in between, money is lost. */
export async function markThenCredit(payment: Payment): Promise<void> {
  const { orderNo } = payment;
  const { rowsAffected } = await writePlainly(
    "UPDATE recharge_orders SET status = 'paid', transaction_id = ? WHERE order_no = ? AND status IN ('pending', 'closed')",
    [payment.transactionId, orderNo],
  );
  if (rowsAffected === 1) await creditPlainly(payment, orderNo);
}

/** The reverse mistake: after a crash in between, or a lost answer, the order is credited again. */
export async function creditThenMark(payment: Payment): Promise<void> {
  const { orderNo } = payment;
  const order = await findOrder(orderNo);
  if (order?.status !== 'pending' && order?.status !== 'closed') return;
  await creditPlainly(payment, `${orderNo}-${newUserId()}`);
  await writePlainly("UPDATE recharge_orders SET status = 'paid', transaction_id = ? WHERE order_no = ?", [
    payment.transactionId,
    orderNo,
  ]);
}

async function creditPlainly(payment: Payment, ref: string): Promise<void> {
  await writePlainly(
    `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, ext_ref)
     SELECT STRAIGHT_JOIN o.app_id, o.user_id, o.asset, COALESCE(l.seq, 0) + 1, o.units,
            COALESCE(l.balance_after, 0) + o.units, 'recharge', ?, 'sandbox:clearing', ?
       FROM recharge_orders o JOIN users u ON u.user_id = o.user_id
       LEFT JOIN ledger_entries l ON l.app_id = o.app_id AND l.user_id = o.user_id AND l.asset = o.asset
        AND l.seq = (SELECT MAX(x.seq) FROM ledger_entries x
                      WHERE x.app_id = o.app_id AND x.user_id = o.user_id AND x.asset = o.asset)
      WHERE o.order_no = ? FOR UPDATE`,
    [ref, `sandbox:${ref}`, payment.orderNo],
  );
}

/** The mistakes above do not concern deadlocks, so a deadlock is simply tried again. */
const writePlainly = (sql: string, values: SqlValue[]): Promise<Written> =>
  repeatOnContention(() => write(sql, values), { tries: 20 });
