import type { MockOrder, MockRefund } from './orders.ts';
import type { OtherTrade } from './other-trades.ts';

interface Merchant {
  appId: string;
  mchId: string;
}

/** The columns of WeChat's trade bill of type ALL. A line is written from values by these names. */
const COLUMNS = [
  ...['交易时间', '公众账号ID', '商户号', '特约商户号', '设备号', '微信订单号', '商户订单号', '用户标识', '交易类型'],
  ...['交易状态', '付款银行', '货币种类', '应结订单金额', '代金券金额', '微信退款单号', '商户退款单号', '退款金额'],
  ...['充值券退款金额', '退款类型', '退款状态', '商品名称', '商户数据包', '手续费', '费率', '订单金额', '申请退款金额'],
  '费率备注',
] as const;
const SUMS = {
  应结订单总金额: '应结订单金额',
  退款总金额: '退款金额',
  充值券退款总金额: '充值券退款金额',
  手续费总金额: '手续费',
  订单总金额: '订单金额',
  申请退款总金额: '申请退款金额',
} as const;

type Line = Partial<Record<(typeof COLUMNS)[number], string>>;
const DEFAULTS: Line = {
  特约商户号: '0',
  交易类型: 'JSAPI',
  付款银行: 'OTHERS',
  货币种类: 'CNY',
  应结订单金额: '0.00',
  代金券金额: '0.00',
  微信退款单号: '0',
  商户退款单号: '0',
  退款金额: '0.00',
  充值券退款金额: '0.00',
  订单金额: '0.00',
  申请退款金额: '0.00',
  费率: '0.60%',
};

/**
 * The trade bill (type ALL) of a day in China, the latest first. A payment has the day on which it was paid, and a
 * refund that on which it was accepted. null: there were no payments and refunds.
 */
export function tradeBill(
  day: string,
  merchant: Merchant,
  {
    orders,
    refunds,
    others,
  }: { orders: readonly MockOrder[]; refunds: readonly MockRefund[]; others: readonly OtherTrade[] },
): string | null {
  const byNumber = new Map(orders.map((order) => [order.outTradeNo, order]));
  const paid = orders.flatMap((order) => (order.paidAtMs === null ? [] : paymentLine(order, order.paidAtMs, merchant)));
  const refunded = refunds.flatMap((refund) => {
    const order = byNumber.get(refund.outTradeNo);
    return order && refund.status !== 'CLOSED' ? refundLine(refund, order, merchant) : [];
  });
  const lines = [...paid, ...refunded, ...others.map((trade) => otherLine(trade, merchant))]
    .filter(({ 交易时间: time = '' }) => time.startsWith(day))
    .sort((a, b) => (b.交易时间 ?? '').localeCompare(a.交易时间 ?? ''));
  return lines.length === 0 ? null : textOf(lines);
}

function textOf(lines: readonly Line[]): string {
  const row = (values: readonly string[]): string => values.map((value) => `\`${value}`).join(',');
  const sums = Object.values(SUMS).map((column) => {
    const sum = lines.reduce((total, line) => total + exact(line[column] ?? DEFAULTS[column] ?? '0'), 0);
    return column === '手续费' ? (sum / 1e5).toFixed(5) : (sum / 1e5).toFixed(2);
  });
  return [
    COLUMNS.join(','),
    ...lines.map((line) => row(COLUMNS.map((column) => line[column] ?? DEFAULTS[column] ?? ''))),
    ['总交易单数', ...Object.keys(SUMS)].join(','),
    row([`${lines.length}`, ...sums]),
    '',
  ].join('\r\n');
}

const commonOf = (at: number, appId: string, mchId: string): Line => ({
  交易时间: beijing(at),
  公众账号ID: appId,
  商户号: mchId,
});

function paymentLine(order: MockOrder, paidAtMs: number, { appId, mchId }: Merchant): Line {
  return {
    ...commonOf(paidAtMs, appId, mchId),
    微信订单号: order.transactionId ?? '',
    商户订单号: order.outTradeNo,
    用户标识: order.openid,
    交易状态: 'SUCCESS',
    应结订单金额: yuan(order.totalFen - order.couponFen),
    代金券金额: yuan(order.couponFen),
    商品名称: order.description,
    手续费: fee(order.totalFen - order.couponFen),
    订单金额: yuan(order.totalFen),
  };
}

function refundLine(refund: MockRefund, order: MockOrder, { appId, mchId }: Merchant): Line {
  const couponFen = Math.floor((order.couponFen * refund.refundFen) / order.totalFen);
  return {
    ...commonOf(refund.createdAtMs, appId, mchId),
    微信订单号: order.transactionId ?? '',
    商户订单号: order.outTradeNo,
    用户标识: order.openid,
    交易状态: 'REFUND',
    微信退款单号: refund.refundId,
    商户退款单号: refund.outRefundNo,
    退款金额: yuan(refund.refundFen - couponFen),
    退款类型: 'ORIGINAL',
    退款状态: refund.status === 'SUCCESS' ? 'SUCCESS' : 'PROCESSING',
    商品名称: order.description,
    手续费: fee(couponFen - refund.refundFen),
    申请退款金额: yuan(refund.refundFen),
  };
}

const otherLine = ({ appId, outTradeNo, transactionId, totalFen, atMs }: OtherTrade, { mchId }: Merchant): Line => ({
  ...commonOf(atMs, appId, mchId),
  微信订单号: transactionId,
  商户订单号: outTradeNo,
  交易状态: 'SUCCESS',
  应结订单金额: yuan(totalFen),
  手续费: fee(totalFen),
  订单金额: yuan(totalFen),
});

const beijing = (ms: number): string => new Date(ms + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');

const yuan = (fen: number): string => (fen / 100).toFixed(2);

/** 0.6 percent, with five decimals. */
const fee = (fen: number): string => ((fen * 6) / 1e5).toFixed(5);

/** In hundred-thousandths of a yuan, as whole numbers. */
const exact = (amount: string): number => Math.round(Number(amount) * 1e5);
