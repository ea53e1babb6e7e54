import type { Period } from './china-day.ts';
import { isBilled, paymentsBooked, providersBooked, refundsBooked } from './pages.ts';

/** What the books have of a period, for one app at one AppID of one merchant. */
export interface MoneySums {
  provider: string;
  merchantId: string;
  providerAppId: string;
  appId: string;
  payments: number;
  paidFen: number;
  refunds: number;
  refundedFen: number;
}

/** A payment or refund whose units are not those that the ledger moved for it. */
export interface Uncovered {
  orderNo: string;
  /** '' for a payment. */
  refundNo: string;
}

/** Payments and refunds of the days of the provider. `uncovered`: what the ledger does not agree with. */
export async function sumMoney(period: Period): Promise<{ sums: MoneySums[]; uncovered: Uncovered[] }> {
  const sums = new Map<string, MoneySums>();
  const uncovered: Uncovered[] = [];
  const of = (row: Pick<MoneySums, 'provider' | 'merchantId' | 'providerAppId' | 'appId'>): MoneySums => {
    const { provider, merchantId, providerAppId, appId } = row;
    const key = [provider, merchantId, providerAppId, appId].join('/');
    const none = { payments: 0, paidFen: 0, refunds: 0, refundedFen: 0 };
    const known = sums.get(key) ?? { provider, merchantId, providerAppId, appId, ...none };
    sums.set(key, known);
    return known;
  };
  for (const provider of await providersBooked())
    for await (const page of paymentsBooked({ provider }, period))
      for (const payment of page) {
        const known = of(payment);
        known.payments += 1;
        known.paidFen += payment.amountFen;
        if (payment.creditedUnits !== payment.units) uncovered.push({ orderNo: payment.orderNo, refundNo: '' });
      }
  for await (const page of refundsBooked(period))
    for (const refund of page.filter(isBilled)) {
      const known = of(refund);
      known.refunds += 1;
      known.refundedFen += refund.amountFen;
      // A refund that is worth less than one unit takes none.
      if ((refund.takenUnits ?? 0) !== refund.units)
        uncovered.push({ orderNo: refund.orderNo, refundNo: refund.refundNo });
    }
  const list = [...sums.entries()].sort(([a], [b]) => a.localeCompare(b));
  return { sums: list.map(([, one]) => one), uncovered };
}
