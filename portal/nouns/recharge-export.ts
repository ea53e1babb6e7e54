import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { chinaTime, daysFrom } from '../../shared/recharge/books/china-day.ts';
import { type BookRow, exportBooks } from '../../shared/recharge/books/export.ts';
import { flag, type Given, type Out, optional, type Printed, required, UsageError, type Verb } from '../command.ts';
import { CSV_END, CSV_START, csvLine } from '../csv.ts';
import { dayForm } from '../forms.ts';
import { translated } from '../language.ts';
import { progressOf } from '../progress.ts';

/** The columns of the CSV: what an accountant sorts and adds up. */
const COLUMNS: ReadonlyArray<
  readonly [heading: string, cell: (row: BookRow) => Parameters<typeof csvLine>[0][number]]
> = [
  ['day', ({ at }) => chinaTime(at).slice(0, 10)],
  ['time', ({ at }) => chinaTime(at).slice(11)],
  ['kind', ({ kind }) => kind],
  ['order', ({ orderNo }) => orderNo],
  ['user', ({ userId }) => userId],
  ['app', ({ appId }) => appId],
  ['provider', ({ provider }) => provider],
  ['merchant', ({ merchantId }) => merchantId],
  ['mini-program', ({ providerAppId }) => providerAppId],
  ['transaction', ({ transactionId }) => transactionId],
  ['product', ({ productId }) => productId],
  ['amount', ({ amountFen }) => (amountFen === null ? null : { fen: amountFen })],
  ['units', ({ units }) => units],
  ['asset', ({ asset }) => asset],
  ['status', ({ status }) => status],
  ['refund', ({ refundNo }) => refundNo],
  ["provider's refund", ({ providerRefundId }) => providerRefundId],
  ['entry', ({ seq }) => seq],
  ['balance', ({ balanceAfter }) => balanceAfter],
  ['reference', ({ ref }) => ref],
  ['reason', ({ reason }) => reason],
];

async function run(given: Given, _: unknown, out: Out): Promise<Printed> {
  const [first, last] = [dayForm('from', given.text('from')), dayForm('to', given.text('to'))];
  if (first > last) throw new UsageError('--from is a day after --to');
  const name = given.optional('file');
  const rows = exportBooks(daysFrom(first, last));
  const counts = { order: 0, payment: 0, refund: 0, entry: 0 };
  const write = async (line: (text: string) => void): Promise<void> => {
    const progress = progressOf('rows');
    let done = 0;
    if (given.flag('csv')) line(CSV_START + csvLine(COLUMNS.map(([heading]) => translated(heading))));
    for await (const page of rows) {
      for (const row of page) {
        counts[row.kind] += 1;
        line(given.flag('csv') ? csvLine(COLUMNS.map(([, cell]) => cell(row))) : JSON.stringify(row));
      }
      done += page.length;
      progress(done);
    }
  };
  const end = given.flag('csv') ? CSV_END : '\n';
  if (name === undefined) await write((text) => out(text + end.slice(0, -1)));
  else await intoFile(name, (append) => write((text) => append(text + end)));
  const { order, payment, refund, entry } = counts;
  const said = `${payment} payments, ${refund} refunds, ${order} unpaid orders and ${entry} ledger entries are in ${name}.`;
  return { json: { from: first, to: last, ...counts }, text: name === undefined ? [] : [said] };
}

/** The file appears when it is complete. Readable by its owner only: it names users and what they paid. */
async function intoFile(name: string, write: (append: (text: string) => void) => Promise<void>): Promise<void> {
  const part = `${name}.part`;
  let file: number;
  try {
    file = openSync(part, 'w', 0o600);
  } catch {
    throw new UsageError(`--file names a file that cannot be written: ${name}`);
  }
  try {
    await write((text) => writeSync(file, text));
    closeSync(file);
    renameSync(part, name);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

export const exportVerb: Verb = {
  about: 'Writes orders, payments, refunds and ledger entries of days, one JSON line each, or CSV for a spreadsheet.',
  options: {
    from: required('YYYY-MM-DD', 'the first day in China'),
    to: required('YYYY-MM-DD', 'the last day in China'),
    csv: flag('CSV in place of JSON lines: amounts in yuan, times of China'),
    file: optional('FILE', 'writes into this file (default: standard output)'),
  },
  destructive: false,
  run,
};
