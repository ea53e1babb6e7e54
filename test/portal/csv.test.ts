import { expect, test } from 'vitest';
import { csvLine } from '../../portal/csv.ts';

test.each([
  ...['=1+1', '+1', '-1', '@SUM(1)', '＝1+1', '＋1', '－1', '＠SUM(1)', ' =1', '\u00a0=1', '\u3000=1', '\ufeff=1'],
  ...['\u200b=1', '0012', '1E5', '12e3', '123456789012'],
])('a cell %j gets an apostrophe, so that a spreadsheet neither calculates nor changes it', (text) => {
  expect(csvLine([text])).toBe(`'${text}`);
});

test('control characters become blanks, so a cell cannot begin with a hidden sign or end its line', () => {
  expect(csvLine(['\t=1', '\r=1', 'a\r\nb'])).toBe("' =1,' =1,a  b");
});

test('other cells are written as they are, with quotation marks where a comma needs them', () => {
  expect(csvLine(['coins-60', '2026-11-24', '00:30:00', 'a "b", c', 0, { fen: -5 }, null, '1900000001'])).toBe(
    'coins-60,2026-11-24,00:30:00,"a ""b"", c",0,-0.05,,1900000001',
  );
});
