import type { MockOrder, MockRefund } from './orders.ts';

/** Fewer columns than WeChat's bill, with the same names. Readers find columns by name. */
const HEAD = '交易时间,公众账号ID,商户号,微信订单号,商户订单号,交易状态,货币种类,商户退款单号,申请退款金额,订单金额';

interface Merchant {
  appId: string;
  mchId: string;
}

/** The trade bill (type ALL) of a day in China. null: there were no payments and refunds. */
export function tradeBill(
  day: string,
  { appId, mchId }: Merchant,
  orders: readonly MockOrder[],
  refunds: readonly MockRefund[],
): string | null {
  const line = (at: number, { outTradeNo, transactionId }: MockOrder, ...rest: string[]): string =>
    [beijing(at), appId, mchId, transactionId ?? '', outTradeNo, ...rest].map((value) => `\`${value}`).join(',');
  const byNumber = new Map(orders.map((order) => [order.outTradeNo, order]));
  const paid = orders.flatMap((order) =>
    order.paidAtMs === null || beijing(order.paidAtMs).slice(0, 10) !== day
      ? []
      : [line(order.paidAtMs, order, 'SUCCESS', 'CNY', '0', '0.00', yuan(order.totalFen))],
  );
  const refunded = refunds.flatMap(({ outTradeNo, outRefundNo, refundFen, status, createdAtMs }) => {
    const order = byNumber.get(outTradeNo);
    if (!order || status === 'CLOSED' || beijing(createdAtMs).slice(0, 10) !== day) return [];
    return [line(createdAtMs, order, 'REFUND', 'CNY', outRefundNo, yuan(refundFen), '0.00')];
  });
  const lines = [...paid, ...refunded];
  if (lines.length === 0) return null;
  return [HEAD, ...lines, '总交易单数,退款总单数', `\`${paid.length},\`${refunded.length}`, ''].join('\r\n');
}

const beijing = (ms: number): string => new Date(ms + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');

const yuan = (fen: number): string => `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, '0')}`;
