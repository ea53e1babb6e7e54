import { query, type Row } from '../db.ts';
import { walletName, walletOf } from './numbers.ts';

/** A fault in the books: the broken invariant and where it is broken. */
export interface Finding {
  invariant: `I${number}`;
  what: string;
  /** Number of an order or a refund, or name of a wallet or a ledger entry. */
  subject: string;
}

/** At most this many findings of one check are listed. */
const LISTED = 100;

interface Check {
  invariant: Finding['invariant'];
  what: string;
  /** Selects the `subject` of each violation. */
  sql: string;
}

const WALLET = "CONCAT(e.app_id, '/', e.user_id, '/', e.asset)";
const PAID = "o.status IN ('paid', 'partial_refund', 'refunded')";
const SUM_OF = (status: string) =>
  `(SELECT COALESCE(SUM(r.amount_fen), 0) FROM refunds r WHERE r.order_no = o.order_no AND r.status ${status})`;

/** I7 (rows are never changed or deleted) has no check of its own: a changed row breaks I1, I2 or I5. */
const CHECKS: Check[] = [
  {
    invariant: 'I1',
    what: 'an order is paid and its wallet was never credited',
    sql: `SELECT o.order_no AS subject FROM recharge_orders o LEFT JOIN ledger_entries e
             ON e.kind = 'recharge' AND e.ref = o.order_no WHERE ${PAID} AND e.seq IS NULL`,
  },
  {
    invariant: 'I1',
    what: 'a wallet was credited and the order is not marked as paid (the sweeper repairs it)',
    sql: `SELECT o.order_no AS subject FROM recharge_orders o JOIN ledger_entries e
             ON e.kind = 'recharge' AND e.ref = o.order_no WHERE NOT ${PAID}`,
  },
  {
    invariant: 'I1',
    what: 'a credit has no order, or another wallet or number of units than its order',
    sql: `SELECT e.ref AS subject FROM ledger_entries e LEFT JOIN recharge_orders o ON o.order_no = e.ref
            AND o.app_id = e.app_id AND o.user_id = e.user_id AND o.asset = e.asset AND o.units = e.delta
           WHERE e.kind = 'recharge' AND o.order_no IS NULL`,
  },
  {
    invariant: 'I1',
    what: 'an order was credited more than once',
    sql: `SELECT e.ref AS subject FROM ledger_entries e WHERE e.kind = 'recharge' GROUP BY e.ref HAVING COUNT(*) > 1`,
  },
  {
    invariant: 'I2',
    what: 'the numbers of a wallet do not run from 1 without a gap',
    sql: `SELECT ${WALLET} AS subject FROM ledger_entries e GROUP BY e.app_id, e.user_id, e.asset
          HAVING MIN(e.seq) <> 1 OR MAX(e.seq) <> COUNT(*)`,
  },
  {
    invariant: 'I2',
    what: 'a balance is not the previous balance plus the change',
    sql: `SELECT CONCAT(${WALLET}, '#', e.seq) AS subject FROM ledger_entries e LEFT JOIN ledger_entries p
             ON p.app_id = e.app_id AND p.user_id = e.user_id AND p.asset = e.asset AND p.seq = e.seq - 1
           WHERE e.balance_after <> COALESCE(p.balance_after, 0) + e.delta`,
  },
  {
    invariant: 'I3',
    what: 'a spend made the balance negative, or did not lower it',
    sql: `SELECT CONCAT(${WALLET}, '#', e.seq) AS subject FROM ledger_entries e
           WHERE e.kind = 'spend' AND (e.balance_after < 0 OR e.delta >= 0)`,
  },
  {
    invariant: 'I4',
    what: 'an entry has no counter account, or one that does not fit its kind',
    sql: `SELECT CONCAT(${WALLET}, '#', e.seq) AS subject FROM ledger_entries e
           WHERE NOT (e.kind IN ('recharge', 'refund', 'refund_reversal') AND e.contra LIKE '_%:clearing'
                   OR e.kind = 'spend' AND e.contra = 'shop:spent'
                   OR e.kind IN ('grant', 'adjust') AND e.contra <> '')`,
  },
  {
    invariant: 'I5',
    what: 'the refunds of an order, with those in progress, are more than was paid',
    sql: `SELECT o.order_no AS subject FROM recharge_orders o
           WHERE ${SUM_OF("<> 'closed'")} > o.amount_fen OR o.refunded_fen > o.amount_fen`,
  },
  {
    invariant: 'I5',
    what: 'the status or refunded amount of an order does not fit its refunds (the sweeper repairs it)',
    sql: `SELECT o.order_no AS subject FROM recharge_orders o WHERE o.refunded_fen <> ${SUM_OF("= 'success'")}
              OR o.status <> CASE WHEN o.refunded_fen = 0 THEN IF(${PAID}, 'paid', o.status)
                                  WHEN o.refunded_fen < o.amount_fen THEN 'partial_refund' ELSE 'refunded' END`,
  },
  {
    invariant: 'I5',
    what: 'a refund was sent to the provider, and took no units, a wrong number, or units of another wallet',
    sql: `SELECT r.refund_no AS subject FROM refunds r JOIN recharge_orders o ON o.order_no = r.order_no
            LEFT JOIN ledger_entries e ON e.kind = 'refund' AND e.ref = r.refund_no
           WHERE (r.status <> 'accepted' AND e.seq IS NULL)
              OR NOT (e.delta = -r.units AND e.app_id = o.app_id AND e.user_id = o.user_id AND e.asset = o.asset)`,
  },
  {
    invariant: 'I5',
    what: 'a refund has no order, or one that was never paid',
    sql: `SELECT r.refund_no AS subject FROM refunds r LEFT JOIN recharge_orders o ON o.order_no = r.order_no AND ${PAID}
           WHERE o.order_no IS NULL`,
  },
  {
    invariant: 'I5',
    what: 'refunds took more units than were credited, or returned all the money and took only a part of the units',
    sql: `SELECT o.order_no AS subject FROM recharge_orders o JOIN refunds r ON r.order_no = o.order_no
           WHERE r.status <> 'closed' GROUP BY o.order_no, o.units, o.amount_fen
          HAVING SUM(r.units) > o.units OR (SUM(r.amount_fen) = o.amount_fen AND SUM(r.units) <> o.units)`,
  },
  {
    invariant: 'I5',
    what: 'a refund was closed and its units were not returned, or they were returned although it succeeded',
    sql: `SELECT r.refund_no AS subject FROM refunds r LEFT JOIN ledger_entries e
             ON e.kind = 'refund_reversal' AND e.ref = r.refund_no AND e.delta = r.units
            AND EXISTS (SELECT 1 FROM recharge_orders o WHERE o.order_no = r.order_no AND o.app_id = e.app_id
                           AND o.user_id = e.user_id AND o.asset = e.asset)
           WHERE (r.status = 'closed' AND e.seq IS NULL) OR (r.status = 'success' AND e.seq IS NOT NULL)`,
  },
  {
    invariant: 'I5',
    what: 'units were taken or returned for a refund that does not exist',
    sql: `SELECT e.ref AS subject FROM ledger_entries e LEFT JOIN refunds r ON r.refund_no = e.ref
           WHERE e.kind IN ('refund', 'refund_reversal') AND r.refund_no IS NULL`,
  },
  {
    invariant: 'I6',
    what: "a credit does not name its order's provider or transaction",
    sql: `SELECT e.ref AS subject FROM ledger_entries e JOIN recharge_orders o ON o.order_no = e.ref
           WHERE e.kind = 'recharge' AND (e.ext_ref IS NULL OR e.contra <> CONCAT(o.provider, ':clearing') OR NOT e.ext_ref LIKE CONCAT(o.provider, ':_%')
              OR (o.transaction_id IS NOT NULL AND e.ext_ref <> CONCAT(o.provider, ':', o.transaction_id)))`,
  },
  {
    invariant: 'I6',
    what: 'one transaction of a provider was credited to several orders',
    sql: `SELECT e.ext_ref AS subject FROM ledger_entries e WHERE e.ext_ref IS NOT NULL
           GROUP BY e.ext_ref HAVING COUNT(*) > 1`,
  },
  {
    invariant: 'I8',
    what: 'an order was paid at the sandbox more than two hours ago and not credited',
    sql: `SELECT s.order_no AS subject FROM sandbox_payments s LEFT JOIN ledger_entries e
             ON e.kind = 'recharge' AND e.ref = s.order_no
           WHERE s.paid_at < NOW(3) - INTERVAL 2 HOUR AND e.seq IS NULL`,
  },
  {
    invariant: 'I10',
    what: 'an amount of units or fen is not positive, or too large to be exact',
    sql: `SELECT o.order_no AS subject FROM recharge_orders o WHERE o.amount_fen < 1 OR o.units < 1
          UNION ALL
          SELECT CONCAT(${WALLET}, '#', e.seq) FROM ledger_entries e
           WHERE ABS(e.balance_after) > 9007199254740991 OR ABS(e.delta) > 9007199254740991`,
  },
];

export interface Audit {
  orders: number;
  entries: number;
  refunds: number;
  findings: Finding[];
}

/** Checks the invariants I1 to I10 (docs/recharge.md) in the whole database. Reads only, from the primary. */
export async function auditLedger(): Promise<Audit> {
  const findings: Finding[] = [];
  for (const { invariant, what, sql } of CHECKS) {
    for (const row of await query(`${sql} LIMIT ${LISTED}`)) {
      findings.push({ invariant, what, subject: String(row.subject) });
    }
  }
  for (const numbered of NUMBERED) findings.push(...(await misplaced(numbered)));
  const [counts] = await query(
    `SELECT (SELECT COUNT(*) FROM recharge_orders) AS orders, (SELECT COUNT(*) FROM ledger_entries) AS entries,
            (SELECT COUNT(*) FROM refunds) AS refunds`,
  );
  const { orders, entries, refunds } = counts as Row;
  return { orders: Number(orders), entries: Number(entries), refunds: Number(refunds), findings };
}

const PAGE = 5_000;

/** Tables whose numbers are derived from a wallet. Each is read in the order of an index. */
const NUMBERED = [
  {
    what: 'an order does not belong to the wallet in its number',
    sql: 'SELECT order_no AS number, app_id, user_id FROM recharge_orders WHERE order_no > ? ORDER BY order_no',
  },
  ...['recharge', 'spend', 'refund', 'refund_reversal'].map((kind) => ({
    what: `a ${kind} is not in the wallet of its number`,
    sql: `SELECT ref AS number, app_id, user_id FROM ledger_entries WHERE kind = '${kind}' AND ref > ? ORDER BY ref`,
  })),
];

/** I9: a number is derived from its wallet. A row in another wallet was changed by hand. */
async function misplaced({ what, sql }: (typeof NUMBERED)[number]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (let after = ''; ; ) {
    const rows = await query(`${sql} LIMIT ${PAGE}`, [after]);
    for (const { number, app_id, user_id } of rows) {
      const subject = String(number);
      if (walletOf(subject) === walletName(String(app_id), String(user_id))) continue;
      findings.push({ invariant: 'I9', what, subject });
    }
    if (rows.length < PAGE) return findings;
    after = String(rows.at(-1)?.number);
  }
}
