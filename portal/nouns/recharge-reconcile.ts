import { BillRefused } from '../../shared/recharge/books/bill.ts';
import type { AppSums, Comparison } from '../../shared/recharge/books/compare.ts';
import type { Finding } from '../../shared/recharge/books/finding.ts';
import { reconcileDay } from '../../shared/recharge/books/reconcile.ts';
import { type Display, type Given, optional, type Printed, required, UsageError, type Verb } from '../command.ts';
import { bytesOfFile, dayForm } from '../forms.ts';
import { translated } from '../language.ts';
import { progressOf } from '../progress.ts';
import { sentenceFor } from '../sentence.ts';
import { table } from '../table.ts';

const PROVIDERS = ['sandbox', 'wechatpay', 'xpay'] as const;

async function compare(given: Given): Promise<Printed> {
  const provider = given.choice('provider', PROVIDERS) ?? '';
  const day = dayForm('day', given.text('day'));
  const name = given.optional('bill');
  const file = name === undefined ? undefined : bytesOfFile('bill', name);
  const asked = { provider, day, merchantId: given.optional('merchant'), file, actor: given.actor };
  const { isEmpty, ...comparison } = await reconcileDay(asked, { progress: progressOf('lines') }).catch(notCompared);
  return {
    json: { ...comparison, nothingCompared: isEmpty },
    text: isEmpty ? [emptyDay(comparison)] : linesOf(comparison, given.display),
    nothingCompared: isEmpty,
    problemFound: comparison.differences.length > 0,
  };
}

/** Exit code 1 means that bill and books differ. Nothing is known about that when an engine or a provider failed. */
function notCompared(error: unknown): never {
  if (error instanceof UsageError) throw error;
  throw new BillRefused(sentenceFor(error));
}

const emptyDay = ({ day, provider }: Comparison): string =>
  `Nothing was compared: ${provider} and the books have no payment and no refund of ${day}.`;

function linesOf(comparison: Comparison, display: Display): string[] {
  const { payments, refunds, billedFen, refundedFen, creditedFen, otherApps, explained, differences } = comparison;
  const { money } = display;
  return [
    differences.length === 0 ? 'Bill and books agree in both directions.' : `differences: ${differences.length}`,
    ...differences.map((finding) => sentenceLine(finding, display)),
    ...(explained.length === 0 ? [] : ['', `explained by another day: ${explained.length}`]),
    ...explained.map((finding) => sentenceLine(finding, display)),
    '',
    `bill: ${payments} payments of ${money(billedFen)}, ${refunds} refunds of ${money(refundedFen)}; books: payments of ${money(creditedFen)}.`,
    ...(otherApps.length === 0 ? [] : ['', 'Other AppIDs of this merchant, which are not compared:']),
    ...(otherApps.length === 0
      ? []
      : table(['AppID', 'payments', 'amount', 'refunds', 'refunded'], appRows(otherApps, display))),
  ];
}

function sentenceLine({ line, sentence, billFen, ledgerFen }: Finding, { money }: Display): string {
  const amounts = [
    ...(line === null ? [] : [translated(`line ${line}`)]),
    ...(billFen === null ? [] : [`${translated('bill')} ${money(billFen)}`]),
    ...(ledgerFen === null ? [] : [`${translated('books')} ${money(ledgerFen)}`]),
  ];
  return `- ${translated(sentence)} (${amounts.join(', ')})`;
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
    "Compares a provider's bill of a day with the books, in both directions. Exit code 1: they differ; 2: nothing was compared.",
  options: {
    provider: { ...required('NAME', 'the payment provider'), values: PROVIDERS },
    day: required('YYYY-MM-DD', 'a day in China'),
    bill: optional('FILE', "WeChat Pay's trade bill (type ALL) of that day (default: download it)"),
    merchant: optional('NUMBER', 'the merchant, if the provider has several here'),
  },
  destructive: false,
  run: compare,
};
