import type { BillLine, BillSubject } from './bill.ts';
import { chinaDayOf, dayAfter, type Period } from './china-day.ts';
import type { OtherBills } from './other-bills.ts';
import { type BookedPayment, type BookedRefund, bookedAt } from './pages.ts';
import {
  type BookSentence,
  type LineSentence,
  type Standing,
  sentenceOfLine,
  sentenceOfPayment,
  sentenceOfRefund,
  standingOf,
} from './sentences.ts';

/** What bill and books do not have in common. */
export interface Finding {
  /** Provider, merchant, kind, and number of the payment or refund: the same in every comparison. */
  key: string;
  what: LineSentence | BookSentence;
  standing: Standing;
  providerAppId: string;
  orderNo: string;
  /** Number of the transaction or of the refund. */
  reference: string;
  /** Line of the bill's file. null: there is none. */
  line: number | null;
  billFen: number | null;
  ledgerFen: number | null;
  /** The other day whose books or bill may have it. null: none. */
  otherDay: string | null;
  /** What it is, and what to do next. */
  sentence: string;
}

/** Of whom the bill is. */
type Subject = BillSubject & { provider: string };

const keyOf = (
  { provider, merchantId }: Omit<Subject, 'day'>,
  what: Finding['what'],
  { reference, orderNo }: Pick<Finding, 'reference' | 'orderNo'>,
): string =>
  [provider, merchantId, what.replaceAll(/[^a-z]+/g, '-'), reference || orderNo]
    .filter((part) => part !== '')
    .join('/');

interface OfLine {
  subject: Subject;
  line: BillLine;
  bookedFen?: number;
  bookedDay?: string;
}

/** Of a line of the bill. */
export function finding(what: LineSentence, { subject, line, bookedFen, bookedDay }: OfLine): Finding {
  const { orderNo } = line;
  const reference = line.kind === 'payment' ? line.transactionId : line.refundNo;
  return {
    key: keyOf(subject, what, { reference, orderNo }),
    what,
    standing: standingOf(what),
    providerAppId: line.appId,
    orderNo,
    reference,
    line: line.line || null,
    billFen: line.amountFen,
    ledgerFen: bookedFen ?? null,
    otherDay: bookedDay ?? null,
    sentence: sentenceOfLine(what, line, {
      billDay: subject.day,
      bookedDay: bookedDay ?? '',
      bookedFen: bookedFen ?? 0,
    }),
  };
}

/** Around midnight the clocks of provider and deployment may name different days. */
const NEAR_MS = 10 * 60_000;

/** The neighbouring day in whose bill it may be. undefined: it is not near midnight. */
function neighbour(time: string, { from, to }: Period): string | undefined {
  const at = Date.parse(time);
  if (at - Date.parse(from) < NEAR_MS) return dayAfter(chinaDayOf(from), -1);
  return Date.parse(to) - at <= NEAR_MS ? chinaDayOf(to) : undefined;
}

const PAYMENT: Record<Standing, BookSentence> = {
  open: 'credited, not in the bill',
  undecided: 'payment near midnight, bill not read',
  explained: 'payment near midnight',
};
const REFUND: Record<Standing, BookSentence> = {
  open: 'refunded here, not in the bill',
  undecided: 'refund near midnight, bill not read',
  explained: 'refund near midnight',
};

/** `isThere`: whether the bill of the other day has it; undefined: that bill was not read. */
const standingBy = (isThere: boolean | undefined): Standing =>
  isThere === undefined ? 'undecided' : isThere ? 'explained' : 'open';

/**
 * Of a payment that is in the books, and in no line of the bill. Another day explains it only if the bill of that day was
 * read and has it.
 */
export async function unmatchedPayment(payment: BookedPayment, period: Period, bills: OtherBills): Promise<Finding> {
  const { orderNo, transactionId, paidAt } = payment;
  const day = neighbour(paidAt, period);
  const what = PAYMENT[standingBy(day !== undefined && (await bills.hasPayment(day, payment)))];
  const sentence = sentenceOfPayment(what, { orderNo, transactionId, paidAt, day: day ?? '' });
  return { ...ofBooks(what, transactionId, payment), otherDay: day ?? null, sentence };
}

/** The same of a refund. One that was sent again on a later day is in the bill of that day. */
export async function unmatchedRefund(refund: BookedRefund, period: Period, bills: OtherBills): Promise<Finding> {
  const { refundNo, orderNo, status, providerAt, sentAt } = refund;
  const isSentLater = providerAt === null && sentAt !== null && sentAt >= period.to;
  const day = isSentLater ? chinaDayOf(sentAt) : neighbour(bookedAt(refund), period);
  const what = REFUND[standingBy(day !== undefined && (await bills.hasRefund(day, refund)))];
  const sentence = sentenceOfRefund(what, { refundNo, orderNo, status, at: bookedAt(refund), day: day ?? '' });
  return { ...ofBooks(what, refundNo, refund), otherDay: day ?? null, sentence };
}

const ofBooks = (what: BookSentence, reference: string, booked: BookedPayment | BookedRefund) => ({
  key: keyOf(booked, what, { reference, orderNo: booked.orderNo }),
  what,
  standing: standingOf(what),
  providerAppId: booked.providerAppId,
  orderNo: booked.orderNo,
  reference,
  line: null,
  billFen: null,
  ledgerFen: booked.amountFen,
});
