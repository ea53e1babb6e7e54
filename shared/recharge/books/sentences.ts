import type { BillLine } from './bill.ts';
import { chinaTime } from './china-day.ts';

/** What is wrong with a line of the bill, or why it only looks wrong. */
export type LineSentence =
  | 'paid, not credited'
  | 'paid, no such order'
  | 'paid another amount'
  | 'paid twice'
  | 'refunded, unknown here'
  | 'refunded, no such order'
  | 'refunded, closed here'
  | "refunded, another order's"
  | 'refunded another amount'
  | 'booked on another day'
  | 'refund booked on another day'
  | 'refund closed after the bill'
  | 'refund of a second payment';

/** The same of a booking that is in no line of the bill. */
export type BookSentence =
  | 'credited, not in the bill'
  | 'refunded here, not in the bill'
  | 'payment near midnight'
  | 'payment near midnight, bill not read'
  | 'refund near midnight'
  | 'refund near midnight, bill not read';

/** `open`: a difference. `undecided`: a bill that was not read may have it. `explained`: no difference, mostly because another day has it. */
export type Standing = 'open' | 'undecided' | 'explained';

const STANDINGS: Partial<Record<LineSentence | BookSentence, Standing>> = {
  'booked on another day': 'explained',
  'refund booked on another day': 'explained',
  'refund closed after the bill': 'explained',
  'refund of a second payment': 'explained',
  'payment near midnight': 'explained',
  'refund near midnight': 'explained',
  'payment near midnight, bill not read': 'undecided',
  'refund near midnight, bill not read': 'undecided',
};
export const standingOf = (what: LineSentence | BookSentence): Standing => STANDINGS[what] ?? 'open';

interface Books {
  billDay: string;
  bookedDay: string;
  bookedFen: number;
}

/** One sentence: what it is, and what to do next. */
export function sentenceOfLine(what: LineSentence, line: BillLine, { billDay, bookedDay, bookedFen }: Books): string {
  const { orderNo, amountFen, transactionId } = line;
  const { refundNo, refundId } = line.kind === 'refund' ? line : { refundNo: '', refundId: '' };
  const idForm = refundId || refundNo;
  switch (what) {
    case 'paid, not credited':
      return `Order ${orderNo} was paid by transaction ${transactionId} and not credited: run "recharge sync --order ${orderNo}", then compare again.`;
    case 'paid, no such order':
      return `Transaction ${transactionId} paid order ${orderNo}, which does not exist here: find out in the provider's console who paid, and refund it there if nothing was delivered.`;
    case 'paid another amount':
      return `Order ${orderNo} costs ${bookedFen} fen and ${amountFen} fen were paid: look at "recharge show --order ${orderNo}", and refund the payment in the provider's console.`;
    case 'paid twice':
      return `Order ${orderNo} was credited for another transaction, so ${transactionId} paid it a second time: refund that transaction in the provider's console.`;
    case 'refunded, unknown here':
      return `Refund ${refundNo} was made in the provider's console, and its units are still in the wallet: run "recharge refund-book --order ${orderNo} --refund-id ${idForm} --amount-fen ${amountFen}".`;
    case 'refunded, no such order':
      return `Refund ${refundNo} is of order ${orderNo}, which does not exist here: find out in the provider's console whose payment it was.`;
    case 'refunded, closed here':
      return `Refund ${refundNo} is closed here, so its units were returned, and the provider paid the money back: run "recharge refund-book --order ${orderNo} --refund-id ${idForm} --amount-fen ${amountFen}". If nothing is left of the order, take the units with "recharge adjust".`;
    case "refunded, another order's":
      return `Refund ${refundNo} is of order ${orderNo} in the bill, and of another order here: look at "recharge show --order ${orderNo}" and at the provider's console.`;
    case 'refunded another amount':
      return `Refund ${refundNo} is ${bookedFen} fen here and ${amountFen} fen in the bill: look at "recharge show --order ${orderNo}" and at the provider's console.`;
    case 'booked on another day':
      return `Order ${orderNo} is in the bill of ${billDay} and in the books of ${bookedDay}: it is one payment, and nothing is to do.`;
    case 'refund booked on another day':
      return `Refund ${refundNo} is in the bill of ${billDay} and in the books of ${bookedDay}: it is one refund, and nothing is to do.`;
    case 'refund of a second payment':
      return `Refund ${refundNo} is of transaction ${transactionId}, which paid order ${orderNo} a second time and was never credited: no units are to be taken, and nothing is to do.`;
    case 'refund closed after the bill':
      return `Refund ${refundNo} was in progress when the bill was made, and the provider closed it later: no money was returned, and nothing is to do.`;
  }
}

/** `day`: in whose bill it is, or may be; '': in no other. */
export function sentenceOfPayment(
  what: BookSentence,
  { orderNo, transactionId, paidAt, day }: { orderNo: string; transactionId: string; paidAt: string; day: string },
): string {
  const at = chinaTime(paidAt);
  switch (standingOf(what)) {
    case 'explained':
      return `Order ${orderNo} was paid at ${at}, near midnight, and is in the bill of ${day}: it is one payment, and nothing is to do.`;
    case 'undecided':
      return `Order ${orderNo} was paid at ${at}, near midnight, and the bill of ${day} was not read: compare again when that bill is there, or give its file with "--also ${day}=FILE".`;
    case 'open':
      return `Order ${orderNo} was credited for transaction ${transactionId}, which the bill does not have: look for it in the provider's console, and take the units back with "recharge adjust" if nothing was paid.`;
  }
}

export function sentenceOfRefund(
  what: BookSentence,
  { refundNo, orderNo, status, at, day }: Record<'refundNo' | 'orderNo' | 'status' | 'at' | 'day', string>,
): string {
  const time = chinaTime(at);
  switch (standingOf(what)) {
    case 'explained':
      return `Refund ${refundNo} was made at ${time} and is in the bill of ${day}: it is one refund, and nothing is to do.`;
    case 'undecided':
      return `Refund ${refundNo} was made at ${time}, and the bill of ${day} was not read: compare again when that bill is there, or give its file with "--also ${day}=FILE".`;
    case 'open':
      return `Refund ${refundNo} is ${status} here, and the bill does not have it: look for it in the provider's console, and at "recharge show --order ${orderNo}".`;
  }
}
