import { accountOf } from '../../shared/recharge/books/day.ts';
import { reportMonth } from '../../shared/recharge/books/month.ts';
import { appNames } from '../app-names.ts';
import { type Given, type Printed, required, UsageError, type Verb } from '../command.ts';
import { table } from '../table.ts';
import { bookFaults, moneyTable, unitTable } from './recharge-day.ts';

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
      verdict(month, isEmpty, agrees),
      '',
      ...table(['merchant', ...days, ...sums], rows),
      '',
      ...accounts.flatMap(accountSentences),
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

function verdict(month: string, isEmpty: boolean, agrees: boolean): string {
  if (isEmpty) return `Nothing can be compared for ${month}: no merchant has money, or no day of it is over.`;
  return agrees
    ? `${month} is closed: bills, books and ledger agree on every day.`
    : `${month} is not closed: see what is open or differs.`;
}

type Account = Awaited<ReturnType<typeof reportMonth>>['accounts'][number];

/** What is left to do, for one account. */
function accountSentences(account: Account): string[] {
  const { provider, openDays, differingDays, agrees } = account;
  const name = accountOf(account);
  const hasSums = openDays.length + differingDays.length === 0;
  return [
    ...(openDays.length === 0
      ? []
      : [
          `${name} has open days, so run "recharge reconcile --provider ${provider} --day" with each: ${openDays.join(', ')}.`,
        ]),
    ...(differingDays.length === 0
      ? []
      : [
          `${name} differs on some days, so run "recharge reconcile --provider ${provider} --day" with each again: ${differingDays.join(', ')}.`,
        ]),
    ...(hasSums && !agrees
      ? [`${name} has other sums in its bills than in the books: compare the days around midnight again.`]
      : []),
  ];
}

export const monthVerb: Verb = {
  about:
    'Closes a month: whether bills, books and ledger agree on every day. Exit code 1: something is open or differs; 2: nothing can be compared.',
  options: { month: required('YYYY-MM', 'a month in China') },
  destructive: false,
  run,
};
