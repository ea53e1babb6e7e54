import { BillRefused } from '../../shared/recharge/books/bill.ts';
import { chinaDay } from '../../shared/recharge/books/china-day.ts';
import type { AppSums, Comparison } from '../../shared/recharge/books/compare.ts';
import type { Finding } from '../../shared/recharge/books/finding.ts';
import { type Reconciled, reconcileDay } from '../../shared/recharge/books/reconcile.ts';
import {
  type Display,
  type Given,
  optional,
  type Printed,
  repeated,
  required,
  UsageError,
  type Verb,
} from '../command.ts';
import { bytesOfFile, dayForm } from '../forms.ts';
import { progressOf } from '../progress.ts';
import { sentenceFor } from '../sentence.ts';
import { table } from '../table.ts';
import { differenceLine } from './recharge-difference.ts';

const PROVIDERS = ['sandbox', 'wechatpay', 'xpay'] as const;

async function compare(given: Given): Promise<Printed> {
  const provider = given.choice('provider', PROVIDERS) ?? '';
  const day = dayForm('day', given.text('day'));
  const name = given.optional('bill');
  const file = name === undefined ? undefined : bytesOfFile('bill', name);
  const others = otherFiles(given.all('also'));
  const asked = { provider, day, merchantId: given.optional('merchant'), file, others, actor: given.actor };
  const found = await reconcileDay(asked, { progress: progressOf('lines') }).catch(notCompared);
  const { isEmpty, isWithoutBill, ...comparison } = found;
  const { differences, undecided } = comparison;
  const isUndecided = differences.length === 0 && undecided.length > 0;
  const nothingCompared = isEmpty || isWithoutBill || isUndecided;
  return {
    json: { ...comparison, nothingCompared },
    text: isEmpty ? [emptyDay(comparison)] : linesOf(found, given.display),
    nothingCompared,
    problemFound: differences.length > 0,
  };
}

/** `2026-11-25=FILE`, for each bill of another day. */
const otherFiles = (given: readonly string[]): Map<string, Uint8Array> =>
  new Map(
    given.map((text) => {
      const [, day = '', name = ''] = /^([^=]*)=(.+)$/s.exec(text) ?? [];
      if (name === '') throw new UsageError(`--also takes a day and a file such as 2026-11-25=bill.csv, not "${text}"`);
      return [dayForm('also', day), bytesOfFile('also', name)];
    }),
  );

/** Exit code 1 means that bill and books differ. Nothing is known about that when an engine or a provider failed. */
function notCompared(error: unknown): never {
  if (error instanceof UsageError) throw error;
  throw new BillRefused(sentenceFor(error));
}

const emptyDay = ({ day, provider }: Comparison): string =>
  `Nothing was compared: ${provider} and the books have no payment and no refund of ${day}.`;

function linesOf(comparison: Reconciled, display: Display): string[] {
  const { payments, refunds, billedFen, refundedFen, creditedFen, otherApps } = comparison;
  const { explained, undecided, differences, settled } = comparison;
  const { money } = display;
  const listed = (head: string, findings: readonly Finding[]): string[] =>
    findings.length === 0 ? [] : ['', head, ...findings.map((finding) => differenceLine(finding, display))];
  return [
    verdict(comparison),
    ...(Date.now() < Date.parse(chinaDay(comparison.day).to) ? [NOT_OVER] : []),
    ...differences.map((finding) => differenceLine(finding, display)),
    ...(differences.length === 0 ? [] : [SETTLE]),
    ...listed(`not decided, because the bill of another day was not read: ${undecided.length}`, undecided),
    ...listed(`settled: ${settled.length}`, settled),
    ...listed(`explained by another day: ${explained.length}`, explained),
    '',
    `In the bill: payments ${payments} (${money(billedFen)}), refunds ${refunds} (${money(refundedFen)}). In the books: payments of ${money(creditedFen)}.`,
    ...(otherApps.length === 0 ? [] : ['', 'Other AppIDs of this merchant, which are not compared:']),
    ...(otherApps.length === 0
      ? []
      : table(['AppID', 'payments', 'amount', 'refunds', 'refunded'], appRows(otherApps, display))),
  ];
}

const NOT_OVER = 'The day is not over, so this comparison does not count: make it again tomorrow.';

const SETTLE =
  'What no command removes is settled by a person: "recharge settle-difference --difference NAME --reason TEXT", with the name at the end of its line.';

function verdict({ provider, day, isWithoutBill, differences, undecided, settled }: Reconciled): string {
  if (isWithoutBill)
    return `${provider} has no bill of ${day}, and the books have payments or refunds of that day that no other bill has: give the file of the bill with --bill if there is one.`;
  if (differences.length > 0) return `differences: ${differences.length}`;
  if (undecided.length > 0) return 'Bill and books could not be compared to the end.';
  return settled.length === 0
    ? 'Bill and books agree in both directions.'
    : 'Bill and books agree in both directions, but for what is settled.';
}

const appRows = (apps: readonly AppSums[], { money }: Display): string[][] =>
  apps.map(({ appId, payments, billedFen, refunds, refundedFen }) => [
    appId,
    String(payments),
    money(billedFen),
    String(refunds),
    money(refundedFen),
  ]);

export const reconcileVerb: Verb = {
  about:
    "Compares a provider's bill of a day with the books, in both directions. Exit code 1: they differ; 2: they could not be compared.",
  options: {
    provider: { ...required('NAME', 'the payment provider'), values: PROVIDERS },
    day: required('YYYY-MM-DD', 'a day in China'),
    bill: optional('FILE', "WeChat Pay's trade bill (type ALL) of that day (default: download it)"),
    also: repeated('DAY=FILE', 'the bill of a neighbouring day, for what was paid near midnight'),
    merchant: optional('NUMBER', 'the merchant, if the provider has several here'),
  },
  destructive: false,
  run: compare,
};
