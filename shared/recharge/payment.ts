import { write } from '../db.ts';
import { AppError } from '../errors.ts';
import { sql } from '../sql-fragment.ts';
import { alarm, count } from '../telemetry.ts';
import { appendOnce } from './append.ts';
import { forgetBalance } from './balance.ts';
import { findOrder, markPaid, type Order, type PaymentSource } from './order.ts';
import { IS_OF_ANOTHER, ORDER_USER, ORDER_WALLET, walletTouched } from './order-wallet.ts';

/** A payment that a provider reports: in a notification, in the answer to a query, or in its bill. */
export interface Payment {
  provider: string;
  /** '' if the provider has none. */
  providerAppId: string;
  merchantId: string;
  orderNo: string;
  transactionId: string;
  amountFen: number;
  currency: string;
  /** RFC 3339; null: the provider does not report it. */
  paidAt: string | null;
}

/**
 * Credits a payment exactly once and marks its order: two statements. When it returns, the ledger row is durable and
 * the cache holds no older balance. Throws NOT_FOUND (no such order: it may exist at a later delivery), NOTICE_MISMATCH
 * (amount, currency, app or merchant differ, or the transaction belongs to another order), EngineError (outcome
 * unknown: call again). `source`: a query, if a notification of the provider did not report it.
 */
export async function settlePayment(payment: Payment, source: PaymentSource = 'push'): Promise<'credited' | 'known'> {
  const { orderNo, transactionId, paidAt } = payment;
  const { outcome, wallet } = await credit(payment);
  await Promise.all([markPaid(orderNo, { transactionId, paidAt, source }), forgetBalance(wallet)]);
  count(`recharge.${outcome}`);
  return outcome;
}

export const extRefOf = (provider: string, transactionId: string): string => `${provider}:${transactionId}`;

export const transactionOf = (extRef: string | null): string => (extRef ?? '').replace(/^[^:]*:/, '');

/** Writes the ledger row only, and names its wallet. Throws the same errors as settlePayment. */
export async function credit(payment: Payment): Promise<{ outcome: 'credited' | 'known'; wallet: string }> {
  const { provider, orderNo, transactionId } = payment;
  const extRef = extRefOf(provider, transactionId);
  const event = { kind: 'recharge', ref: orderNo, extRef } as const;
  for (let attempt = 1; ; attempt++) {
    const appended = await appendOnce({ ...event, ...creditOf(payment) });
    if (appended.outcome === 'foreign') throw mismatch(payment, 'transaction-of-another-order');
    const known = appended.outcome === 'found' && appended.entry.extRef === extRef;
    if (appended.outcome !== 'created' && !(known && appended.agrees)) {
      const order = await findOrder(orderNo);
      if (!order) {
        count('recharge.unknown-order');
        throw new AppError('NOT_FOUND');
      }
      const difference = differenceOf(order, payment);
      if (difference) throw mismatch(payment, difference);
      if (appended.outcome === 'found' && !known) throw mismatch(payment, 'paid-twice');
      if (appended.outcome === 'refused') {
        // Payment and order agree, so the row of the user, which is the lock, is missing: another tool deleted it.
        if (attempt > 1) throw new Error('a payment that agrees with its order was not credited');
        alarm('recharge-without-user', { orderNo });
        await write("INSERT IGNORE INTO users (user_id, profile, erased_at) VALUES (?, '{}', NOW(3))", [order.userId]);
        continue;
      }
    }
    const wallet = await walletTouched(orderNo, event, appended);
    return { outcome: appended.outcome === 'created' ? 'credited' : 'known', wallet };
  }
}

const creditOf = ({ provider, orderNo, amountFen, currency, providerAppId, merchantId }: Payment) => ({
  from: sql`recharge_orders o ${ORDER_USER}`,
  where: sql`o.order_no = ${orderNo} AND o.provider = ${provider} AND o.amount_fen = ${amountFen}
    AND o.currency = ${currency} AND o.provider_app_id = ${providerAppId} AND o.merchant_id = ${merchantId}`,
  wallet: ORDER_WALLET,
  delta: sql`o.units`,
  contra: sql`CONCAT(o.provider, ':clearing')`,
  report: IS_OF_ANOTHER,
});

/** undefined: the payment agrees with the order. */
function differenceOf(order: Order, payment: Payment): string | undefined {
  if (order.provider !== payment.provider) return 'provider';
  if (order.amountFen !== payment.amountFen) return 'amount';
  if (order.currency !== payment.currency) return 'currency';
  if (order.providerAppId !== payment.providerAppId) return 'provider-app';
  if (order.merchantId !== payment.merchantId) return 'merchant';
  return undefined;
}

/** A person has to look at a payment that does not agree. Nothing is written, and the provider sends it again. */
function mismatch({ provider, orderNo }: Payment, difference: string): AppError {
  alarm('notification-mismatch', { provider, orderNo, difference });
  return new AppError('NOTICE_MISMATCH');
}
