import type { BillLine } from './bill.ts';
import { chinaDayOf, dayAfter, type Period } from './china-day.ts';
import { type BookedPayment, type BookedRefund, bookedAt } from './pages.ts';
import {
  type BookSentence,
  EXPLAINED,
  type LineSentence,
  sentenceOfLine,
  sentenceOfPayment,
  sentenceOfRefund,
} from './sentences.ts';

/** What bill and books do not have in common. */
export interface Finding {
  what: LineSentence | BookSentence;
  /** true: another day explains it, so it is no difference. */
  isExplained: boolean;
  providerAppId: string;
  orderNo: string;
  /** Number of the transaction or of the refund. */
  reference: string;
  /** Line of the bill's file. null: there is none. */
  line: number | null;
  billFen: number | null;
  ledgerFen: number | null;
  /** What it is, and what to do next. */
  sentence: string;
}

interface OfLine {
  subject: { day: string };
  line: BillLine;
  bookedFen?: number;
  bookedDay?: string;
}

/** Of a line of the bill. */
export function finding(what: LineSentence, { subject, line, bookedFen, bookedDay = '' }: OfLine): Finding {
  return {
    what,
    isExplained: EXPLAINED.has(what),
    providerAppId: line.appId,
    orderNo: line.orderNo,
    reference: line.kind === 'payment' ? line.transactionId : line.refundNo,
    line: line.line || null,
    billFen: line.amountFen,
    ledgerFen: bookedFen ?? null,
    sentence: sentenceOfLine(what, line, { billDay: subject.day, bookedDay, bookedFen: bookedFen ?? 0 }),
  };
}

/** Around midnight the clocks of provider and deployment may name different days. */
const NEAR_MS = 10 * 60_000;

/** The neighbouring day in whose bill it is expected. undefined: it is not near midnight. */
function neighbour(time: string, { from, to }: Period): string | undefined {
  const at = Date.parse(time);
  if (at - Date.parse(from) < NEAR_MS) return dayAfter(chinaDayOf(from), -1);
  return Date.parse(to) - at <= NEAR_MS ? chinaDayOf(to) : undefined;
}

/** Of a payment that is in the books, and in no line of the bill. */
export function unmatchedPayment(payment: BookedPayment, period: Period): Finding {
  const { orderNo, transactionId, paidAt } = payment;
  const day = neighbour(paidAt, period);
  const what = day === undefined ? 'credited, not in the bill' : 'payment near midnight';
  const sentence = sentenceOfPayment({ orderNo, transactionId, paidAt, day });
  return { ...ofBooks(what, payment), reference: transactionId, sentence };
}

/** Of a refund that is in the books, and in no line of the bill. */
export function unmatchedRefund(refund: BookedRefund, period: Period): Finding {
  const { refundNo, orderNo, status, providerAt, sentAt } = refund;
  const isSentLater = providerAt === null && sentAt !== null && sentAt >= period.to;
  const day = isSentLater ? chinaDayOf(sentAt) : neighbour(bookedAt(refund), period);
  const what = day === undefined ? 'refunded here, not in the bill' : 'refund near midnight';
  const sentence = sentenceOfRefund({ refundNo, orderNo, status, at: bookedAt(refund), day });
  return { ...ofBooks(what, refund), reference: refundNo, sentence };
}

const ofBooks = (what: BookSentence, { providerAppId, orderNo, amountFen }: BookedPayment | BookedRefund) => ({
  what,
  isExplained: EXPLAINED.has(what),
  providerAppId,
  orderNo,
  line: null,
  billFen: null,
  ledgerFen: amountFen,
});
