import { BillRefused } from '../books/bill.ts';
import { cellOf, exactAmount, FEN, SPREADSHEET, type Values } from './bill-values.ts';

const COUNT = '总交易单数';
/** Columns of the lines, and the columns of the summary that are their sums. */
const SUMS: ReadonlyArray<readonly [column: string, sum: string]> = [
  ['应结订单金额', '应结订单总金额'],
  ['退款金额', '退款总金额'],
  ['充值券退款金额', '充值券退款总金额'],
  ['手续费', '手续费总金额'],
  ['订单金额', '订单总金额'],
  ['申请退款金额', '申请退款总金额'],
];
const NEEDED = [COUNT, '订单总金额', '申请退款总金额'];

/**
 * A bill is whole only if its own summary agrees with the lines that were read, to the fen. `rows`: what follows the
 * lines, from line `first` on. Throws BillRefused.
 */
export function checkSummary(lines: readonly Values[], rows: readonly string[], first: number): void {
  const [head = '', values = '', ...more] = rows;
  if (!head.replace(/^`/, '').startsWith(COUNT)) throw noSummary(head, first);
  const summary = summaryOf(head, values, first + 1);
  const stray = more.findIndex((row) => row.trim() !== '');
  if (stray >= 0)
    throw new BillRefused(
      `Line ${first + 2 + stray} follows the summary: the file holds more than one bill, and one is compared at a time.`,
    );
  const count = summary.get(COUNT) ?? '';
  // Some bills write the count as 3.0.
  if (!/^\d{1,9}(\.0+)?$/.test(count))
    throw new BillRefused(`Line ${first + 1} has "${count}" in place of a number of lines: ${SPREADSHEET}`);
  if (Number(count) !== lines.length)
    throw new BillRefused(
      `The summary counts ${count} lines, and ${lines.length} were read: the file is cut. Download it again.`,
    );
  for (const [column, name] of SUMS) {
    const text = summary.get(name);
    if (text === undefined) continue;
    const sum = lines.reduce((total, value, index) => total + exactAmount(value(column) || '0', index + 2), 0);
    if (Math.abs(sum - exactAmount(text, first + 1)) >= FEN)
      throw new BillRefused(
        `The summary says ${text} in ${name}, and the lines add up to ${inYuan(sum)}: the file was changed. Download it again.`,
      );
  }
}

function noSummary(row: string, line: number): BillRefused {
  if (row.trim() === '') return new BillRefused('The bill has no summary at its end, so it is cut: download it again.');
  return new BillRefused(`Line ${line} does not begin with a backtick and is not the summary: ${SPREADSHEET}`);
}

function summaryOf(head: string, row: string, line: number): Map<string, string> {
  const cells = (text: string): string[] => text.split(',').map((cell) => cellOf(cell).replace(/^`/, ''));
  const [names, values] = [cells(head), cells(row)];
  const missing = NEEDED.find((name) => !names.includes(name));
  if (missing !== undefined) throw new BillRefused(`The summary has no column ${missing}: download the bill again.`);
  if (names.length !== values.length)
    throw new BillRefused(`Line ${line} has ${values.length} values in place of ${names.length}: ${SPREADSHEET}`);
  return new Map(names.map((name, index) => [name, values[index] ?? '']));
}

const inYuan = (exact: number): string => (exact / (100 * FEN)).toFixed(2);
