import { accountOf } from '../../shared/recharge/books/day.ts';
import { reportMonth } from '../../shared/recharge/books/month.ts';
import { appNames } from '../app-names.ts';
import { type Display, type Given, type Printed, required, UsageError, type Verb } from '../command.ts';
import { table } from '../table.ts';
import { bookFaults, moneyTable, unitTable } from './recharge-day.ts';
import { differenceLine } from './recharge-difference.ts';

async function run(given: Given): Promise<Printed> {
  const month = given.text('month');
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) throw new UsageError('--month takes a month such as 2026-11');
  const report = await reportMonth(month);
  const { accounts, money, units, uncovered, broken, isEmpty, agrees } = report;
  const nameOf = await appNames();
  const { display } = given;
  const rows = accounts.map((account) => [
    accountOf(account),
    String(account.agreedDays),
    String(account.openDays.length),
    String(account.differingDays.length),
    display.money(account.billedFen),
    display.money(account.paidFen),
    display.money(account.billedRefundsFen),
    display.money(account.refundedFen),
  ]);
  const days = ['days that agree', 'open days', 'days that differ'];
  const sums = ['paid in bills', 'paid in books', 'refunded in bills', 'refunded in books'];
  return {
    json: { ...report },
    text: [
      verdict(report),
      '',
      ...table(['merchant', ...days, ...sums], rows),
      '',
      ...accounts.flatMap((account) => accountSentences(account, display)),
      '',
      ...moneyTable(money, nameOf, display),
      '',
      ...unitTable(units, nameOf),
      ...bookFaults(uncovered, broken),
      '',
      'Fees are not in the books: take them from the bills of the provider.',
    ],
    nothingCompared: isEmpty,
    problemFound: !agrees,
  };
}

function verdict({ month, daysLeft, accounts, isEmpty, agrees }: Report): string {
  if (isEmpty) return `Nothing can be compared for ${month}: no merchant has money, or no day of it is over.`;
  if (daysLeft > 0) return `${month} is not over, days left: ${daysLeft}. It can be closed after its last day.`;
  if (!agrees) return `${month} is not closed: see what is open or differs.`;
  return accounts.every(({ settled }) => settled.length === 0)
    ? `${month} is closed: bills, books and ledger agree on every day.`
    : `${month} is closed: bills, books and ledger agree on every day, but for what is settled.`;
}

type Report = Awaited<ReturnType<typeof reportMonth>>;
type Account = Report['accounts'][number];

/** What is left to do for one account, and by what its sums differ. */
function accountSentences(account: Account, display: Display): string[] {
  const { provider, openDays, differingDays, isChanged, explained, settled } = account;
  const name = accountOf(account);
  const again = (days: readonly string[], sentence: string): string[] => (days.length === 0 ? [] : [sentence]);
  const isCompared = openDays.length + differingDays.length === 0;
  return [
    ...again(
      openDays,
      `${name} has open days, so run "recharge reconcile --provider ${provider} --day" with each: ${openDays.join(', ')}.`,
    ),
    ...again(
      differingDays,
      `${name} differs on some days, so run "recharge reconcile --provider ${provider} --day" with each again: ${differingDays.join(', ')}.`,
    ),
    ...(isCompared && isChanged
      ? [`${name} has other payments or refunds in the books than when its days were compared: compare its days again.`]
      : []),
    ...(explained.length === 0 ? [] : [`${name}: its bills and books differ by this, which is explained:`]),
    ...explained.map((finding) => differenceLine(finding, display)),
    ...(settled.length === 0 ? [] : [`${name}: this was settled:`]),
    ...settled.map((finding) => differenceLine(finding, display)),
  ];
}

export const monthVerb: Verb = {
  about:
    'Closes a month: whether bills, books and ledger agree on every day. Exit code 1: something is open or differs; 2: nothing can be compared.',
  options: { month: required('YYYY-MM', 'a month in China') },
  destructive: false,
  run,
};
