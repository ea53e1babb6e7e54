import { accountOf, reportDay } from '../../shared/recharge/books/day.ts';
import type { MoneySums } from '../../shared/recharge/books/money.ts';
import type { UnitSums } from '../../shared/recharge/books/units.ts';
import { appNames } from '../app-names.ts';
import { type Display, type Given, type Printed, required, type Verb } from '../command.ts';
import { dayForm } from '../forms.ts';
import { table } from '../table.ts';
import { differenceLine } from './recharge-difference.ts';

async function run(given: Given): Promise<Printed> {
  const report = await reportDay(dayForm('day', given.text('day')));
  const { money, units, bills, open, uncovered, broken } = report;
  const nameOf = await appNames();
  return {
    json: { ...report },
    text: [
      ...moneyTable(money, nameOf, given.display),
      '',
      ...unitTable(units, nameOf),
      '',
      ...bills.map((bill) => {
        const at = given.display.time(bill.comparedAt);
        return bill.differences === 0
          ? `${accountOf(bill)} was compared with its bill at ${at}: they agree.`
          : `${accountOf(bill)} was compared with its bill at ${at}, differences: ${bill.differences}.`;
      }),
      ...bills.flatMap(({ settled }) => settled.map((finding) => differenceLine(finding, given.display))),
      ...open.map(
        (account) =>
          `${accountOf(account)} was not compared with its bill after the day was over: run "recharge reconcile".`,
      ),
      ...bookFaults(uncovered, broken),
    ],
  };
}

export function moneyTable(money: readonly MoneySums[], nameOf: (appId: string) => string, display: Display): string[] {
  const rows = money.map((one) => [
    accountOf(one),
    nameOf(one.appId),
    String(one.payments),
    display.money(one.paidFen),
    String(one.refunds),
    display.money(one.refundedFen),
  ]);
  return table(['merchant', 'app', 'payments', 'amount', 'refunds', 'refunded'], rows);
}

export function unitTable(units: readonly UnitSums[], nameOf: (appId: string) => string): string[] {
  const rows = units.map(({ appId, asset, ...sums }) => [
    nameOf(appId),
    asset,
    ...[sums.begin, sums.credited, sums.spent, sums.granted, sums.refunded, sums.expired, sums.other, sums.end].map(
      String,
    ),
  ]);
  const movements = ['credited', 'spent', 'granted', 'refunded units', 'expired', 'other'];
  return table(['app', 'asset', 'units before', ...movements, 'units outstanding'], rows);
}

/** One sentence for each fault in the books. */
export function bookFaults(
  uncovered: ReadonlyArray<{ orderNo: string; refundNo: string }>,
  broken: readonly string[],
): string[] {
  return [
    ...uncovered.map(({ orderNo, refundNo }) =>
      refundNo === ''
        ? `Order ${orderNo} is paid, and the ledger has another number of units for it: run "recharge sync --order ${orderNo}", then "npm run audit-ledger".`
        : `Refund ${refundNo} took another number of units than it should: look at "recharge show --order ${orderNo}", then run "npm run audit-ledger".`,
    ),
    ...broken.map(
      (wallet) => `The entries of wallet ${wallet} do not lead to its balance: run "npm run audit-ledger".`,
    ),
  ];
}

export const dayVerb: Verb = {
  about: 'Shows the sums of a day: payments, refunds, units, the units outstanding, and whether the bill was compared.',
  options: { day: required('YYYY-MM-DD', 'a day in China') },
  destructive: false,
  run,
};
