import type { Bill, BillLine, PaymentLine, RefundLine, Subject } from './bill.ts';
import { type BookSums, booksOf } from './booked-day.ts';
import { chinaDay, type Period } from './china-day.ts';
import { comparePayments } from './compare-payments.ts';
import { compareRefunds } from './compare-refunds.ts';
import { type Finding, unmatchedPayment, unmatchedRefund } from './finding.ts';
import { type BillOf, OtherBills } from './other-bills.ts';

/** What the bill has of one AppID. */
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
  apps: Array<AppSums & BookSums>;
  /** Lines of the merchant's other AppIDs. They are no differences. */
  otherApps: AppSums[];
  /** What the bill of another day has, or the books of another day. These are no differences. */
  explained: Finding[];
  /** What is near midnight, and the bill of the neighbouring day was not read. Until then the day does not agree. */
  undecided: Finding[];
  /** Empty, and nothing undecided: bill and books agree in both directions. */
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
export async function compareBill(
  subject: Subject,
  bill: Bill,
  { progress = () => {}, billOf = async () => undefined }: { progress?: Progress | undefined; billOf?: BillOf } = {},
): Promise<Comparison> {
  const period = chinaDay(subject.day);
  const { payments, refunds, booked } = await booksOf(subject, period);
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
  const bills = new OtherBills(billOf);
  for (const payment of payments.left()) findings.push(await unmatchedPayment(payment, period, bills));
  for (const refund of refunds.left()) findings.push(await unmatchedRefund(refund, period, bills));
  const apps = sumsOf(ours, subject.appIds).map((sums) => ({ ...sums, ...booked.of(sums.appId) }));
  const standing = (of: Finding['standing']): Finding[] => findings.filter(({ standing }) => standing === of);
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
    explained: standing('explained'),
    undecided: standing('undecided'),
    differences: standing('open'),
  };
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
