import type { Subject } from './bill.ts';
import type { Period } from './china-day.ts';
import { type BookedPayment, type BookedRefund, isBilled, paymentsBooked, refundsBooked } from './pages.ts';

/** What the books have of it, as the reports of a day and a month have it: also what is in no bill. */
export interface BookSums {
  bookedFen: number;
  bookedRefundsFen: number;
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

/** The sums of the books for each AppID. */
class Booked {
  readonly #sums = new Map<string, BookSums>();
  of(appId: string): BookSums {
    return this.#sums.get(appId) ?? { bookedFen: 0, bookedRefundsFen: 0 };
  }
  add(appId: string, fen: Partial<BookSums>): void {
    const { bookedFen, bookedRefundsFen } = this.of(appId);
    this.#sums.set(appId, {
      bookedFen: bookedFen + (fen.bookedFen ?? 0),
      bookedRefundsFen: bookedRefundsFen + (fen.bookedRefundsFen ?? 0),
    });
  }
}

/** What the books have of a day, in sums and to be matched with the bill. */
export async function booksOf(subject: Subject, period: Period) {
  const booked = new Booked();
  const payments = new Unmatched<BookedPayment>();
  for await (const page of paymentsBooked(subject, period))
    for (const payment of page) {
      // An AppID that a former release or setting used.
      subject.appIds.add(payment.providerAppId);
      booked.add(payment.providerAppId, { bookedFen: payment.amountFen });
      if (payment.creditedUnits !== null && subject.isBilled(payment.transactionId))
        payments.add(payment.orderNo, payment);
    }
  const refunds = new Unmatched<BookedRefund>();
  for await (const page of refundsBooked(period))
    for (const refund of page) {
      const isOfMerchant = refund.provider === subject.provider && refund.merchantId === subject.merchantId;
      if (!isOfMerchant || !isBilled(refund)) continue;
      subject.appIds.add(refund.providerAppId);
      booked.add(refund.providerAppId, { bookedRefundsFen: refund.amountFen });
      if (subject.refunds) refunds.add(refund.refundNo, refund);
    }
  return { payments, refunds, booked };
}
