import type { Bill, BillLine, PaymentLine, RefundLine, Subject } from './bill.ts';
import { chinaDay, type Period } from './china-day.ts';
import { comparePayments } from './compare-payments.ts';
import { compareRefunds } from './compare-refunds.ts';
import { type Finding, unmatchedPayment, unmatchedRefund } from './finding.ts';
import { type BookedPayment, type BookedRefund, isBilled, paymentsBooked, refundsBooked } from './pages.ts';

/** What bill and books have of one AppID. */
export interface AppSums {
  appId: string;
  payments: number;
  refunds: number;
  billedFen: number;
  refundedFen: number;
}

export interface Comparison extends Period {
  provider: string;
  merchantId: string;
  day: string;
  /** Of the bill, the lines of this deployment. */
  payments: number;
  refunds: number;
  billedFen: number;
  refundedFen: number;
  /** What the books have of the day. */
  creditedFen: number;
  apps: AppSums[];
  /** Lines of the merchant's other AppIDs. They are no differences. */
  otherApps: AppSums[];
  /** What another day explains. These are no differences. */
  explained: Finding[];
  /** Empty: bill and books agree in both directions. */
  differences: Finding[];
}

/** Told how many lines of the bill are compared. */
export type Progress = (done: number, of: number) => void;

/** Lines and rows for one statement. */
const CHUNK = 500;

/**
 * Compares a whole bill with the books in both directions: every payment of the bill has a credit of the same amount,
 * and every credit of the day is in the bill. The same holds for refunds. It changes nothing.
 */
export async function compareBill(subject: Subject, bill: Bill, progress: Progress = () => {}): Promise<Comparison> {
  const period = chinaDay(subject.day);
  const { payments, refunds } = await booksOf(subject, period);
  const ours: BillLine[] = [];
  const others: BillLine[] = [];
  const findings: Finding[] = [];
  let done = 0;
  for (const lines of chunks(bill.lines)) {
    const paid = lines.filter((line): line is PaymentLine => line.kind === 'payment');
    const back = lines.filter((line): line is RefundLine => line.kind === 'refund');
    for (const judged of [
      ...(await comparePayments(subject, period, paid)),
      ...(await compareRefunds(subject, period, back)),
    ]) {
      (judged.isOurs ? ours : others).push(judged.line);
      if (judged.booked !== undefined) (judged.line.kind === 'payment' ? payments : refunds).delete(judged.booked);
      if (judged.finding) findings.push(judged.finding);
    }
    done += lines.length;
    progress(done, bill.lines.length);
  }
  const creditedFen = payments.sumFen;
  for (const payment of payments.left()) findings.push(unmatchedPayment(payment, period));
  for (const refund of refunds.left()) findings.push(unmatchedRefund(refund, period));
  const apps = sumsOf(ours, subject.appIds);
  const total = (member: 'payments' | 'refunds' | 'billedFen' | 'refundedFen'): number =>
    apps.reduce((sum, app) => sum + app[member], 0);
  return {
    provider: subject.provider,
    merchantId: subject.merchantId,
    day: subject.day,
    ...period,
    payments: total('payments'),
    refunds: total('refunds'),
    billedFen: total('billedFen'),
    refundedFen: total('refundedFen'),
    creditedFen,
    apps,
    otherApps: sumsOf(others, []),
    explained: findings.filter(({ isExplained }) => isExplained),
    differences: findings.filter(({ isExplained }) => !isExplained),
  };
}

/** What the books have of the day and was not found in the bill yet. */
class Unmatched<T extends { amountFen: number }> {
  sumFen = 0;
  readonly #rows = new Map<string, T>();
  add(name: string, row: T): void {
    this.sumFen += row.amountFen;
    this.#rows.set(name, row);
  }
  delete(name: string): void {
    this.#rows.delete(name);
  }
  left(): Iterable<T> {
    return this.#rows.values();
  }
}

async function booksOf(subject: Subject, period: Period) {
  const payments = new Unmatched<BookedPayment>();
  for await (const page of paymentsBooked(subject, period))
    for (const payment of page) {
      // An AppID that a former release or setting used.
      subject.appIds.add(payment.providerAppId);
      if (payment.creditedUnits !== null && subject.isBilled(payment.transactionId))
        payments.add(payment.orderNo, payment);
    }
  const refunds = new Unmatched<BookedRefund>();
  if (subject.refunds)
    for await (const page of refundsBooked(period))
      for (const refund of page) {
        const isOfMerchant = refund.provider === subject.provider && refund.merchantId === subject.merchantId;
        if (isOfMerchant && isBilled(refund)) refunds.add(refund.refundNo, refund);
      }
  return { payments, refunds };
}

const chunks = (lines: readonly BillLine[]): BillLine[][] =>
  Array.from({ length: Math.ceil(lines.length / CHUNK) }, (_, i) => lines.slice(i * CHUNK, (i + 1) * CHUNK));

/** One for each AppID, also for those in `appIds` that have no lines. */
function sumsOf(lines: readonly BillLine[], appIds: Iterable<string>): AppSums[] {
  const sums = new Map<string, AppSums>();
  const of = (appId: string): AppSums => {
    const known = sums.get(appId) ?? { appId, payments: 0, refunds: 0, billedFen: 0, refundedFen: 0 };
    sums.set(appId, known);
    return known;
  };
  for (const appId of appIds) of(appId);
  for (const { appId, kind, amountFen } of lines) {
    const app = of(appId);
    if (kind === 'payment') {
      app.payments += 1;
      app.billedFen += amountFen;
    } else {
      app.refunds += 1;
      app.refundedFen += amountFen;
    }
  }
  return [...sums.values()];
}
