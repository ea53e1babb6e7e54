import { type AppError, invalidInput } from '../../errors.ts';
import type { BillLine } from '../provider.ts';

/**
 * WeChat Pay's trade bill (type ALL), as downloaded from the merchant platform: a line of column names, then lines
 * whose values begin with a backtick and whose amounts are in yuan, then a summary. Columns are found by name, because
 * WeChat adds columns.
 */
const COLUMNS = {
  transactionId: '微信订单号',
  orderNo: '商户订单号',
  state: '交易状态',
  amount: '订单金额',
  refundNo: '商户退款单号',
  refundAmount: '申请退款金额',
} as const;
/** The column with the state of a refund: a failed refund moved no money. */
const REFUND_STATE = '退款状态';

/** Throws INVALID_INPUT with the number of the line that cannot be read. */
export function parseTradeBill(text: string): BillLine[] {
  const [head = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const names = head.split(',').map((name) => name.trim());
  const at = (column: string): number => names.indexOf(column);
  for (const column of Object.values(COLUMNS))
    if (at(column) < 0) throw malformed(1, `the column ${column} is missing`);
  const bill: BillLine[] = [];
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('`')) break;
    const values = line.slice(1).split(',`');
    const value = (column: string): string => (values[at(column)] ?? '').trim();
    const orderNo = value(COLUMNS.orderNo);
    const number = index + 2;
    switch (value(COLUMNS.state)) {
      case 'SUCCESS': {
        const amountFen = fenOf(value(COLUMNS.amount), number);
        bill.push({ kind: 'payment', orderNo, transactionId: value(COLUMNS.transactionId), amountFen });
        break;
      }
      case 'REFUND': {
        if (value(REFUND_STATE) === 'FAIL') break;
        const amountFen = fenOf(value(COLUMNS.refundAmount), number);
        bill.push({ kind: 'refund', orderNo, refundNo: value(COLUMNS.refundNo), amountFen });
        break;
      }
      case 'REVOKED':
        break;
      default:
        throw malformed(number, 'the state of the payment is unknown');
    }
  }
  return bill;
}

/** Converts yuan to fen by their digits: money is never a float. */
function fenOf(yuan: string, line: number): number {
  const match = /^¥?(\d{1,10})(?:\.(\d{1,2}))?$/.exec(yuan);
  if (!match) throw malformed(line, 'an amount is not in yuan');
  return Number(`${match[1]}${(match[2] ?? '').padEnd(2, '0')}`);
}

const malformed = (line: number, message: string): AppError => invalidInput({ path: `line ${line}`, message });
