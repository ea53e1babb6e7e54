import type { Bill, BillLine } from './bill.ts';
import type { BookedPayment, BookedRefund } from './pages.ts';

/** The bill of another day of the same merchant. undefined: it is not there yet, or was not given. */
export type BillOf = (day: string) => Promise<Bill | undefined>;

/** The bills of other days, each read once and only if a booking near midnight asks for it. */
export class OtherBills {
  readonly #names = new Map<string, Set<string> | undefined>();

  constructor(private readonly billOf: BillOf) {}

  /** Whether the bill of that day has the payment. undefined: that bill was not read. */
  async hasPayment(day: string, { orderNo, transactionId }: BookedPayment): Promise<boolean | undefined> {
    return (await this.#read(day))?.has(paymentName(orderNo, transactionId));
  }

  async hasRefund(day: string, { refundNo, providerRefundId }: BookedRefund): Promise<boolean | undefined> {
    const names = await this.#read(day);
    return names && (names.has(`refund ${refundNo}`) || names.has(`refund-id ${providerRefundId}`));
  }

  async #read(day: string): Promise<Set<string> | undefined> {
    if (!this.#names.has(day)) this.#names.set(day, namesOf(await this.billOf(day)));
    return this.#names.get(day);
  }
}

const namesOf = (bill: Bill | undefined): Set<string> | undefined => bill && new Set(bill.lines.flatMap(namesOfLine));

function namesOfLine(line: BillLine): string[] {
  if (line.kind === 'payment') return [paymentName(line.orderNo, line.transactionId)];
  return [`refund ${line.refundNo}`, ...(line.refundId === '' ? [] : [`refund-id ${line.refundId}`])];
}

const paymentName = (orderNo: string, transactionId: string): string => `payment ${orderNo} ${transactionId}`;
