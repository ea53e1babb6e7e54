import { type Adjustment, adjust } from './adjust.ts';
import { type SettledDifference, settleDifference } from './books/settled.ts';
import { grantByOperator, type OperatorGrant } from './operator-grant.ts';
import { requestRefund } from './refund.ts';
import { type BookedRefund, bookRefund } from './refund-book.ts';

/** What a second person can approve: each kind says how its limit is counted, and how it is executed. */
export type Detail = Record<string, unknown>;

interface Approval {
  /** The person who approves. */
  actor: string;
  /** The idempotency key of the movement, unless the request names one. */
  requestId: string;
  askedBy: string;
}

interface Movement {
  unit: 'fen' | 'units';
  /**
   * Executes once for each request, however often it is called, and approves the request in the same transaction. The
   * result is shown to the operator.
   */
  execute(detail: Detail, by: Approval): Promise<Detail>;
}

const facts = ({ actor, requestId, askedBy }: Approval) => ({
  actor,
  detail: { requestId, askedBy },
  approves: requestId,
});

/** `key`: of an operator, or of a refund that is made again. */
export interface RefundDetail {
  orderNo: string;
  amountFen: number;
  reason?: string | undefined;
  key?: string | undefined;
}

export type MoneyKind = 'refund' | 'refund-book' | 'adjust' | 'grant' | 'settle';

export const MOVEMENTS: Record<MoneyKind, Movement> = {
  refund: {
    unit: 'fen',
    async execute(detail, by) {
      const { orderNo, amountFen, reason, key = `request:${by.requestId}` } = detail as unknown as RefundDetail;
      return { ...(await requestRefund({ orderNo, amountFen, reason, key, ...facts(by) })) };
    },
  },
  'refund-book': {
    unit: 'fen',
    async execute(detail, by) {
      const { orderNo, refundId, amountFen } = detail as unknown as BookedRefund;
      return { ...(await bookRefund({ orderNo, refundId, amountFen }, facts(by))) };
    },
  },
  adjust: {
    unit: 'units',
    async execute(detail, by) {
      const key = `request:${by.requestId}`;
      return { ...(await adjust(detail as unknown as Adjustment, { key, ...facts(by) })) };
    },
  },
  grant: {
    unit: 'units',
    async execute(detail, by) {
      const key = `request:${by.requestId}`;
      const wanted = detail as unknown as OperatorGrant;
      return { ...(await grantByOperator(wanted, { key, ...facts(by) })) };
    },
  },
  settle: {
    unit: 'fen',
    async execute(detail, by) {
      return { ...(await settleDifference(detail as unknown as SettledDifference, facts(by))) };
    },
  },
};
