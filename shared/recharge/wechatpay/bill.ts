import { type Bill, type BillLine, BillRefused, type BillSubject } from '../books/bill.ts';
import { checkSummary } from './bill-summary.ts';
import { billText } from './bill-text.ts';
import { cellOf, checkNumber, fenOf, SPREADSHEET, type Values } from './bill-values.ts';

/**
 * WeChat Pay's trade bill (type ALL): a line of column names, lines whose values begin with a backtick and whose
 * amounts are in yuan, then the names and the values of a summary. Columns are found by name, because WeChat adds some.
 */
const COLUMNS = {
  time: '交易时间',
  appId: '公众账号ID',
  merchantId: '商户号',
  transactionId: '微信订单号',
  orderNo: '商户订单号',
  state: '交易状态',
  refundId: '微信退款单号',
  refundNo: '商户退款单号',
  amount: '订单金额',
  refundAmount: '申请退款金额',
} as const;
/** The column with the state of a refund: a failed refund moved no money. */
const REFUND_STATE = '退款状态';
const REFUND_STATES = ['SUCCESS', 'PROCESSING', 'FAIL', 'CHANGE', ''];
const CURRENCY = '货币种类';

/**
 * Reads the bill of one day and one merchant, all of it: its own summary must agree with its lines. Throws BillRefused.
 */
export function readTradeBill(bytes: Uint8Array, subject: BillSubject): Bill {
  const [head = '', ...rows] = billText(bytes).split(/\r?\n/);
  const names = columnNames(head);
  const end = rows.findIndex((row) => !row.startsWith('`') || row.startsWith('`总交易单数'));
  const details = (end < 0 ? rows : rows.slice(0, end)).map((row, index) => valuesOf(row, names, index + 2));
  checkSummary(details, end < 0 ? [] : rows.slice(end), details.length + 2);
  const seen = new Map<string, number>();
  const lines = details.flatMap((value, index) => {
    const line = index + 2;
    checkSubject(value, line, subject);
    refuseDouble(value, line, seen);
    return lineOf(value, line) ?? [];
  });
  return { lines };
}

function columnNames(head: string): string[] {
  if (head.includes('交易时间') && /[\t;"]/.test(head))
    throw new BillRefused(`Line 1 has tabs, semicolons or quotation marks: ${SPREADSHEET}`);
  const names = head.split(',').map((name) => cellOf(name).replace(/^`/, ''));
  const missing = Object.values(COLUMNS).find((column) => !names.includes(column));
  if (missing !== undefined)
    throw new BillRefused(
      `Line 1 is not the head of a trade bill of type ALL, because the column ${missing} is missing: download that bill.`,
    );
  return names;
}

function valuesOf(row: string, names: readonly string[], line: number): Values {
  const values = row.slice(1).split(',`');
  if (values.length !== names.length)
    throw new BillRefused(`Line ${line} has ${values.length} values in place of ${names.length}: ${SPREADSHEET}`);
  const byName = new Map(names.map((name, index) => [name, cellOf(values[index] ?? '')]));
  return (column) => byName.get(column) ?? '';
}

function checkSubject(value: Values, line: number, { day, merchantId }: BillSubject): void {
  const [, lineDay] = /^(\d{4}-\d\d-\d\d) +\d\d:\d\d:\d\d$/.exec(value(COLUMNS.time)) ?? [];
  if (lineDay === undefined)
    throw new BillRefused(`Line ${line} has no time such as 2026-11-24 09:30:00: ${SPREADSHEET}`);
  if (lineDay !== day)
    throw new BillRefused(`Line ${line} is of ${lineDay}, not of ${day}: name the day of the bill, or another file.`);
  const merchant = value(COLUMNS.merchantId);
  if (merchant !== merchantId)
    throw new BillRefused(
      `Line ${line} is of merchant ${merchant}, not of ${merchantId}: name the merchant of the bill, or another file.`,
    );
  const currency = value(CURRENCY);
  if (currency !== '' && currency !== 'CNY')
    throw new BillRefused(`Line ${line} is in ${currency}, not in CNY: it cannot be compared with the books.`);
  checkNumber(value(COLUMNS.appId), COLUMNS.appId, line);
}

/** A payment is in a bill once, and so is a refund. Two bills in one file would have them twice. */
function refuseDouble(value: Values, line: number, seen: Map<string, number>): void {
  const isPayment = value(COLUMNS.state) === 'SUCCESS';
  const columns = isPayment ? [COLUMNS.transactionId] : [COLUMNS.refundId, COLUMNS.refundNo];
  for (const column of [COLUMNS.transactionId, COLUMNS.orderNo, ...columns]) {
    const text = value(column);
    if (text === '')
      throw new BillRefused(`Line ${line} has no value in the column ${column}: download the bill again.`);
    checkNumber(text, column, line);
  }
  const name = [value(COLUMNS.state), ...columns.map(value)].join(' ');
  const before = seen.get(name);
  if (before !== undefined)
    throw new BillRefused(
      `Line ${line} repeats line ${before}: download the bill again, and compare one bill at a time.`,
    );
  seen.set(name, line);
}

/** null: the line moved no money. */
function lineOf(value: Values, line: number): BillLine | null {
  const [appId, orderNo, transactionId] = [COLUMNS.appId, COLUMNS.orderNo, COLUMNS.transactionId].map(value) as [
    string,
    string,
    string,
  ];
  const common = { line, appId, orderNo, transactionId };
  const [state, refundState] = [value(COLUMNS.state), value(REFUND_STATE)];
  if (state !== 'SUCCESS' && !REFUND_STATES.includes(refundState)) throw unknownState(refundState, line);
  const refund = {
    ...common,
    kind: 'refund' as const,
    refundNo: value(COLUMNS.refundNo),
    refundId: value(COLUMNS.refundId),
    isPaid: refundState !== 'PROCESSING',
  };
  switch (state) {
    case 'SUCCESS':
      return { ...common, kind: 'payment', amountFen: fenOf(value(COLUMNS.amount), line) };
    case 'REFUND':
      if (refundState === 'FAIL') return null;
      return { ...refund, amountFen: fenOf(value(COLUMNS.refundAmount), line) };
    case 'REVOKED':
      // The payer's money went back, as in a refund of the whole payment.
      return { ...refund, amountFen: fenOf(value(COLUMNS.refundAmount), line) || fenOf(value(COLUMNS.amount), line) };
    default:
      throw unknownState(state, line);
  }
}

const unknownState = (state: string, line: number): BillRefused =>
  new BillRefused(`Line ${line} has the unknown state "${state}": the bill cannot be compared.`);
