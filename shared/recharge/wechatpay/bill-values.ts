import { BillRefused } from '../books/bill.ts';

export const SPREADSHEET = 'a spreadsheet has changed the file. Download the bill again, and do not open it before.';

/** A value of a line by the name of its column; '' if the bill has no such column. */
export type Values = (column: string) => string;

/** Without the spaces around it. Other blanks stay and are refused: a bill has none, and trim() would hide them. */
export const cellOf = (text: string): string => text.replace(/^ +| +$/g, '');

/**
 * A number or an AppID as the provider writes it. A spreadsheet leaves apostrophes, quotation marks, full-width digits or
 * blanks of another kind, and then the line would be taken for one of another payment, or of another system.
 */
export function checkNumber(text: string, column: string, line: number): void {
  if (/^\d(\.\d+)?E\+\d+$/i.test(text))
    throw new BillRefused(`Line ${line} has the rounded number ${text} in the column ${column}: ${SPREADSHEET}`);
  if (!/^(?!.*['"`])[!-~]{1,64}$/.test(text))
    throw new BillRefused(`Line ${line} has "${text}" in place of a number in the column ${column}: ${SPREADSHEET}`);
}

/** Fees have up to five decimals. So amounts are added up in hundred-thousandths of a yuan: money is never a float. */
const DECIMALS = 5;
export const FEN = 10 ** (DECIMALS - 2);

/** An amount in hundred-thousandths of a yuan. */
export function exactAmount(yuan: string, line: number): number {
  const [, sign, whole, decimals = ''] = /^(-?)¥?(\d{1,10})(?:\.(\d{1,5}))?$/.exec(yuan) ?? [];
  if (whole === undefined)
    throw new BillRefused(`Line ${line} has "${yuan}" in place of an amount in yuan: ${SPREADSHEET}`);
  return Number(`${sign}${whole}${decimals.padEnd(DECIMALS, '0')}`);
}

export function fenOf(yuan: string, line: number): number {
  const fen = exactAmount(yuan, line) / FEN;
  if (Number.isSafeInteger(fen) && fen >= 0) return fen;
  throw new BillRefused(`Line ${line} has "${yuan}" in place of an amount in yuan: ${SPREADSHEET}`);
}
