import { newTransactionId } from './orders.ts';

/** A payment at another AppID of the same merchant. Its bill has all of them. */
export interface OtherTrade {
  readonly appId: string;
  readonly outTradeNo: string;
  readonly transactionId: string;
  readonly totalFen: number;
  readonly atMs: number;
}

export class OtherTrades {
  readonly #trades: OtherTrade[] = [];

  pay(trade: Pick<OtherTrade, 'appId' | 'outTradeNo' | 'totalFen'>, atMs: number): void {
    this.#trades.push({ ...trade, transactionId: newTransactionId(), atMs });
  }

  list(): OtherTrade[] {
    return [...this.#trades];
  }
}
