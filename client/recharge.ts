// Calls that move money. Each operation has one idempotency key, also when an answer is lost and the call is repeated.
import type {
  Balance,
  CreatedOrder,
  Entry,
  Order,
  Page,
  RechargeInput,
  RechargeParams,
  SpendInput,
  Spent,
} from './answers.ts';
import { ApiError, reasonOf } from './api-error.ts';
import type { Json, Logins, SameUser } from './call.ts';
import { asked } from './keep.ts';
import { segment } from './path-segment.ts';
import { type HeldKey, type KeyHolder, underKey } from './storage.ts';

/** Shows the platform's payment sheet and resolves when it reports success. This report is not taken as a payment. */
export type RequestPayment = (payment: Record<string, unknown>) => Promise<unknown>;

interface PayResult {
  /** The order as the server knows it after asking the provider. Only `paid` means that the units were credited. */
  order: Order;
  /** Why the payment sheet did not report success (also a cancel); null: it did, or it was not shown. */
  paymentFailure: string | null;
}

/** The notification of the provider takes a moment. Sync asks the provider directly, so a few tries are enough. */
const SYNC_WAITS_MS = [1000, 2000, 3000, 4000];

export interface Paying {
  holdKey: KeyHolder;
  wait(milliseconds: number): Promise<void>;
  logins: Logins;
  /** By user and purchase. */
  running: Map<string, Promise<PayResult>>;
  /** null: not known yet. */
  user(): string | null;
}

export function rechargeCalls(json: Json, { holdKey, wait, logins, running, user }: Paying) {
  const create = ({ productId, provider, code }: RechargeInput, held: HeldKey) => {
    const body = JSON.stringify({ productId, provider, code });
    return underKey(held, (own) => json<CreatedOrder>('POST', '/recharge', { body, ...own }));
  };
  const syncOrder = (orderNo: string, as?: SameUser) =>
    json<Order>('POST', `/recharge/${segment(orderNo)}/sync`, { repeatable: true, ...(as && { as }) });

  async function payOnce(input: RechargeInput, requestPayment: RequestPayment): Promise<PayResult> {
    const held = await holdKey('pay', purchaseOf(input));
    const created = await create(input, held);
    if (held.resumed) {
      const order = await syncOrder(created.orderNo, held);
      if (order.status !== 'pending') {
        held.settle();
        // The user paid, and the mini-program ended before it knew. It must not charge again.
        const isPaid = order.status === 'paid' || order.status === 'partial_refund';
        return isPaid ? { order, paymentFailure: null } : payOnce(input, requestPayment);
      }
    }
    const paymentFailure = await requestPayment(created.payment).then(() => null, reasonOf);
    const sync = () => syncOrder(created.orderNo, held);
    const order = await untilSettled(sync, paymentFailure === null ? SYNC_WAITS_MS : []);
    if (order.status !== 'pending') held.settle();
    return { order, paymentFailure };
  }

  async function untilSettled(sync: () => Promise<Order>, waitsMs: readonly number[]): Promise<Order> {
    for (const milliseconds of waitsMs) {
      const order = await sync().catch((error: unknown) => {
        if (error instanceof ApiError && error.retryable) return null;
        throw error;
      });
      if (order && order.status !== 'pending') return order;
      await wait(milliseconds);
    }
    return sync();
  }

  return {
    rechargeParams: () => json<RechargeParams>('GET', '/recharge/params'),

    /** Creates an order. After a lost answer, the same input finds the same order again, also after a restart. */
    async recharge(input: RechargeInput): Promise<CreatedOrder> {
      const held = await holdKey('recharge', purchaseOf(input));
      const created = await logins.paying(() => create(input, held));
      held.settle();
      return created;
    },

    /**
     * Creates the order, shows the payment sheet, then calls sync until the provider's answer is known. The next call
     * with the same input resumes a cancelled or interrupted payment. Two taps at once are one payment.
     */
    pay(input: RechargeInput, requestPayment: RequestPayment): Promise<PayResult> {
      const purchase = user() + purchaseOf(input);
      const earlier = running.get(purchase);
      if (earlier) return earlier;
      const work = () => payOnce(input, requestPayment);
      const started = logins.paying(work).finally(() => running.delete(purchase));
      running.set(purchase, started);
      return started;
    },

    orders: (page: { after?: string } = {}) => json<{ orders: Order[] } & Page>('GET', '/recharge', { query: page }),
    order: (orderNo: string) => json<Order>('GET', `/recharge/${segment(orderNo)}`),
    /** The server asks the provider, and credits the order if it was paid. */
    syncOrder: (orderNo: string) => syncOrder(orderNo),

    balance: () => json<Balance>('GET', '/balance'),
    entries: (page: { after?: string } = {}) =>
      json<{ entries: Entry[] } & Page>('GET', '/balance/entries', { query: page }),

    /**
     * Buys an item, or spends an amount. Once for each input until the outcome is known: equal purchases at the same time
     * need their own keys. An idempotency key of the caller is used and not stored.
     */
    async spend({ itemId, quantity, amount, reason }: SpendInput, idempotencyKey?: string): Promise<Spent> {
      const body = JSON.stringify({ itemId, quantity, amount, reason });
      const call = (own: object) => json<Spent>('POST', '/balance/spend', { body, ...own });
      if (idempotencyKey) return call({ idempotencyKey });
      const held = await holdKey('spend', body);
      const spent = await underKey(held, call);
      held.settle();
      return spent;
    },
  };
}

// Always the same members in the same order: equal input gives equal text and so the same key. The code of a login is
// new each time and not part of the purchase.
function purchaseOf({ productId, provider }: RechargeInput): string {
  return JSON.stringify({ productId, provider });
}

/** The WeChat payment sheet for `pay`. */
export function wxPayment(wx: { requestPayment(options: object): unknown }): RequestPayment {
  return (payment) => asked((callbacks) => wx.requestPayment({ ...payment, ...callbacks }));
}

/** The sheet of virtual payment (provider `xpay`) for `pay`. */
export function wxVirtualPayment(wx: { requestVirtualPayment(options: object): unknown }): RequestPayment {
  return (payment) => asked((callbacks) => wx.requestVirtualPayment({ ...payment, ...callbacks }));
}
