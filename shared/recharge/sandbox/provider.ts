import { createHmac, timingSafeEqual } from 'node:crypto';
import * as v from 'valibot';
import { optionalText } from '../../config.ts';
import { query, sqlTime } from '../../db.ts';
import { AppError, invalidInput } from '../../errors.ts';
import type { PaymentLine } from '../books/bill.ts';
import { changeOnce } from '../logged-change.ts';
import { NO_TERMS, type Provider, type ProviderNotification, type RawNotification } from '../provider.ts';

/** The provider `sandbox` exists only if SANDBOX_KEY is set; there is no default key. No real money is involved. */
const sandboxKey = optionalText('SANDBOX_KEY');

export const SANDBOX = 'sandbox';
const WINDOW_SECONDS = 300;
const MADE_HERE = 'sandbox-';
/** Whether this transaction was made by the sandbox. */
export const isFromSandbox = (transactionId: string): boolean => transactionId.startsWith(MADE_HERE);

/** undefined: the sandbox is switched off. */
export function sandboxProvider(): Provider | undefined {
  const key = sandboxKey();
  if (key === undefined) return undefined;
  return {
    name: SANDBOX,
    providerAppId: '',
    merchantId: '',
    terms: () => NO_TERMS,
    prepare: async () => ({}),
    ask: async ({ orderNo }) => {
      const payment = await findSandboxPayment(orderNo);
      return payment ? { state: 'paid', payment } : { state: 'open' };
    },
    close: async (orderNo) => ((await findSandboxPayment(orderNo)) ? 'paid' : 'closed'),
    refunds: true,
    refund: async ({ reason }) => (reason === REFUSED_REASON ? REFUSED : REFUNDED),
    askRefund: async (refundNo) => ((await reasonOf(refundNo)) === REFUSED_REASON ? null : REFUNDED),
    readNotification: (notification, nowSeconds) => readNotification(notification, key, nowSeconds),
  };
}

/** A refund at the sandbox moves no money, so there is nothing to wait for. */
const REFUNDED = { state: 'success', refundId: null, acceptedAt: null } as const;

/** A refund with this reason is refused for good, so that this end can be tried, too. */
const REFUSED_REASON = 'refuse';
const REFUSED = { state: 'refused', code: 'not-allowed', final: true } as const;

async function reasonOf(refundNo: string): Promise<unknown> {
  const [row] = await query('SELECT reason FROM refunds WHERE refund_no = ?', [refundNo]);
  return row?.reason;
}

export const sandboxSignature = (key: string, timestamp: string, body: Buffer | string): string =>
  createHmac('sha256', key).update(`${timestamp}\n`).update(body).digest('hex');

const notificationForm = v.object({ orderNo: v.pipe(v.string(), v.maxLength(64)), status: v.string() });
const paidForm = v.object({
  amountFen: v.pipe(v.number(), v.safeInteger()),
  currency: v.string(),
  transactionId: v.pipe(v.string(), v.regex(/^[!-~]{1,64}$/)),
});

/** Checks the signature over the raw bytes. Unknown members are allowed. */
function readNotification({ headers, body }: RawNotification, key: string, nowSeconds: number): ProviderNotification {
  const timestamp = headers['sandbox-timestamp'] ?? '';
  const signature = headers['sandbox-signature'] ?? '';
  const expected = Buffer.from(sandboxSignature(key, timestamp, body));
  const given = Buffer.from(signature.toLowerCase());
  const signed = given.length === expected.length && timingSafeEqual(given, expected);
  const fresh = /^[1-9]\d{9}$/.test(timestamp) && Math.abs(nowSeconds - Number(timestamp)) <= WINDOW_SECONDS;
  if (!signed || !fresh) throw new AppError('BAD_NOTIFY_SIGNATURE');

  const json = parseJson(body);
  const notification = v.safeParse(notificationForm, json);
  if (!notification.success) throw malformed();
  if (notification.output.status !== 'SUCCESS') return { kind: 'nothing' };
  const paid = v.safeParse(paidForm, json);
  if (!paid.success) throw malformed();
  const { orderNo } = notification.output;
  return { kind: 'payment', payment: { ...ours, orderNo, ...paid.output, paidAt: null } };
}

const ours = { provider: SANDBOX, providerAppId: '', merchantId: '' };

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw malformed();
  }
}

const malformed = (): AppError => invalidInput({ path: '', message: 'expected a notification of the sandbox' });

async function findSandboxPayment(orderNo: string) {
  const [row] = await query(
    'SELECT transaction_id, amount_fen, currency, paid_at FROM sandbox_payments WHERE order_no = ?',
    [orderNo],
  );
  if (!row) return null;
  return {
    ...ours,
    orderNo,
    transactionId: String(row.transaction_id),
    amountFen: Number(row.amount_fen),
    currency: String(row.currency),
    paidAt: String(row.paid_at),
  };
}

/** A signed notification, as the sandbox sends it. */
interface SandboxNotification {
  headers: Record<string, string>;
  body: string;
}

/**
 * Pays in the place of a payer: from then on `sync` finds the payment. Returns the notification that reports it; null:
 * there is no such order or no sandbox. `actor`: an operator, for the operator log.
 */
export async function payInSandbox(
  orderNo: string,
  actor?: string,
  now = Date.now(),
): Promise<SandboxNotification | null> {
  const key = sandboxKey();
  if (key === undefined) return null;
  await changeOnce(
    `INSERT IGNORE INTO sandbox_payments (order_no, transaction_id, amount_fen, currency)
     SELECT order_no, CONCAT('${MADE_HERE}', order_no), amount_fen, currency FROM recharge_orders
      WHERE order_no = ? AND provider = ?`,
    [orderNo, SANDBOX],
    actor === undefined ? undefined : { actor, action: 'recharge.pay', subject: orderNo },
  );
  const payment = await findSandboxPayment(orderNo);
  if (!payment) return null;
  const { amountFen, currency, transactionId } = payment;
  const body = JSON.stringify({ orderNo, amountFen, currency, transactionId, status: 'SUCCESS' });
  const timestamp = String(Math.floor(now / 1000));
  return {
    headers: { 'sandbox-timestamp': timestamp, 'sandbox-signature': sandboxSignature(key, timestamp, body) },
    body,
  };
}

const BILL_PAGE = 1_000;

/** The payments at the sandbox in a period, in the form of a bill. */
export async function sandboxBill({ from, to }: { from: string; to: string }): Promise<PaymentLine[]> {
  const lines: PaymentLine[] = [];
  for (let [time, orderNo] = [sqlTime(from), '']; ; ) {
    const rows = await query(
      `SELECT order_no, transaction_id, amount_fen, paid_at FROM sandbox_payments
        WHERE paid_at >= ? AND paid_at < ? AND NOT (paid_at = ? AND order_no <= ?)
        ORDER BY paid_at, order_no LIMIT ${BILL_PAGE}`,
      [time, sqlTime(to), time, orderNo],
    );
    for (const row of rows) {
      const [orderOf, transactionId] = [String(row.order_no), String(row.transaction_id)];
      const amountFen = Number(row.amount_fen);
      lines.push({ kind: 'payment', line: 0, appId: '', orderNo: orderOf, transactionId, amountFen });
    }
    const last = rows.at(-1);
    if (rows.length < BILL_PAGE || !last) return lines;
    [time, orderNo] = [sqlTime(String(last.paid_at)), String(last.order_no)];
  }
}
