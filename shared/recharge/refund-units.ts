import { forgetBalance } from './balance.ts';
import { appendOnce, type Form, joinLast } from './ledger.ts';
import { walletOf } from './numbers.ts';

/** The units of a refund in the ledger: one statement takes them, one returns them, each once for a refund. */
interface RefundOfOrder {
  refundNo: string;
  orderNo: string;
}

/** Takes the units of the refund; the balance may become negative. */
export async function takeUnits({ refundNo, orderNo }: RefundOfOrder): Promise<void> {
  const taken = await appendOnce({ kind: 'refund', ref: refundNo }, takeSql, [refundNo, orderNo]);
  // Without its units, a refund must not send money.
  if (taken.outcome === 'refused') throw new Error('a refund took no units');
  await forgetBalance(walletOf(orderNo));
}

/** The units of a refund that succeeded are never returned. */
export async function returnUnits({ refundNo, orderNo }: RefundOfOrder): Promise<void> {
  await appendOnce({ kind: 'refund_reversal', ref: refundNo }, returnSql, [refundNo, orderNo]);
  await forgetBalance(walletOf(orderNo));
}

const takeSql = (form: Form): string => moveSql('refund', '-', "r.status <> 'closed'", form);
const returnSql = (form: Form): string => moveSql('refund_reversal', '+', "r.status <> 'success'", form);

const moveSql = (kind: string, sign: '+' | '-', guard: string, { straight, forUpdate }: Form): string =>
  `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, reason)
   SELECT ${straight} o.app_id, o.user_id, o.asset, COALESCE(l.seq, 0) + 1, ${sign}r.units,
          COALESCE(l.balance_after, 0) ${sign} r.units, '${kind}', r.refund_no, CONCAT(o.provider, ':clearing'), r.reason
     FROM recharge_orders o
     JOIN refunds r ON r.order_no = o.order_no AND r.refund_no = ?
     JOIN users u ON u.user_id = o.user_id
     ${joinLast('o.app_id', 'o.user_id', 'o.asset')}
    WHERE o.order_no = ? AND ${guard} ${forUpdate}`;
