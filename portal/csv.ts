import { yuan } from './display.ts';

/** CSV as spreadsheets read it: UTF-8 with its mark, CRLF, quotation marks around what needs them. */
export const CSV_START = '\uFEFF';
/** Between two lines, and after the last. */
export const CSV_END = '\r\n';

/** `fen`: an amount of money, which is written in yuan with two decimals. null: an empty cell. */
type Cell = string | number | { fen: number } | null;

export const csvLine = (cells: readonly Cell[]): string => cells.map(cellText).join(',');

function cellText(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  return typeof cell === 'string' ? textCell(cell) : yuan(cell.fen);
}

/** Signs with which a formula begins, also in full width; and blanks, which some spreadsheets leave out before them. */
const FORMULA = /^[=+\-@＝＋－＠\p{Z}\p{Cf}]/u;
/** A spreadsheet would round it, leave out its zeros, or take it for a power of ten. */
const CHANGED_NUMBER = /^(\d{12,}|0\d+|\d+E\d+)$/i;

/** A text is never a formula, and a number of a transaction never loses its digits. */
function textCell(text: string): string {
  const line = text.replace(/\p{Cc}/gu, ' ');
  const marked = FORMULA.test(line) || CHANGED_NUMBER.test(line) ? `'${line}` : line;
  return /[",]/.test(marked) ? `"${marked.replaceAll('"', '""')}"` : marked;
}
