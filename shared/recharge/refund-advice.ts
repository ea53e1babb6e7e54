import { query, type Row } from '../db.ts';
import { type Fragment, sql } from '../sql-fragment.ts';
import { alarm } from '../telemetry.ts';
import { ORDER_USER } from './order-wallet.ts';
import { extRefOf } from './payment.ts';
import type { RefundAdvice } from './provider.ts';

/**
 * What the ledger says about a payment whose payer asks somebody else for the money: were its units delivered, and are
 * they still there? One statement, and a second one if the payment is not named by our own number. It changes nothing.
 */
export async function refundAdvice(provider: string, payment: string): Promise<RefundAdvice> {
  const found =
    (await find(sql`o.order_no = ${payment} AND o.provider = ${provider}`)) ??
    (await find(sql`e.ext_ref = ${extRefOf(provider, payment)}`));
  if (found) return adviceOf(found);
  alarm('refund-question-unknown', { provider });
  return { refundable: true, evidence: '商户系统找不到这个单号的订单，无法说明是否发货。' };
}

/** The evidence is read in China. */
function adviceOf(row: Row): RefundAdvice {
  const about = `订单 ${row.order_no}：`;
  if (row.credited_at === null) return { refundable: true, evidence: `${about}尚未发货，没有发放过商品。` };
  const units = Number(row.units);
  const delivered = `${about}已于 ${new Date(String(row.credited_at)).toISOString()} 发货，发放 ${units} 个代币。`;
  const due = units - Number(row.refunded_units);
  if (due <= 0) return { refundable: true, evidence: `${delivered}代币已全部收回。` };
  const left = Math.max(0, Math.min(due, Number(row.balance) - Number(row.held)));
  if (left === due) return { refundable: true, evidence: `${delivered}均未使用，可以收回。` };
  return { refundable: false, evidence: `${delivered}其中 ${due - left} 个已被用户使用，无法收回。` };
}

/** The order with its credit and what its wallet has now. undefined: there is none. */
async function find(where: Fragment): Promise<Row | undefined> {
  const { text, values } = sql`SELECT o.order_no, o.units, e.created_at AS credited_at,
      COALESCE((SELECT l.balance_after FROM ledger_entries l
        WHERE l.app_id = o.app_id AND l.user_id = w.user_id AND l.asset = o.asset ORDER BY l.seq DESC LIMIT 1), 0) AS balance,
      COALESCE((SELECT h.held_after FROM ledger_entries h
        WHERE h.app_id = o.app_id AND h.user_id = w.user_id AND h.asset = o.asset AND h.seq = 0), 0) AS held,
      COALESCE((SELECT SUM(r.units) FROM refunds r WHERE r.order_no = o.order_no AND r.status <> 'closed'), 0)
        AS refunded_units
     FROM recharge_orders o ${ORDER_USER}
     LEFT JOIN ledger_entries e ON e.kind = 'recharge' AND e.ref = o.order_no
    WHERE ${where}`;
  const [row] = await query(text, values);
  return row;
}
