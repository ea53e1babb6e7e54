import { readMerchants } from '../merchant.ts';
import { chinaDay, dayAfter, daysFrom } from './china-day.ts';
import { type ComparedDay, daysCompared } from './compared.ts';
import { accountOf } from './day.ts';
import type { Finding } from './finding.ts';
import { type MoneySums, sumMoney, type Uncovered } from './money.ts';
import type { SettledFinding } from './settled.ts';
import { sumUnits, type UnitSums } from './units.ts';

/** What is closed: one AppID of one merchant. */
interface Account extends Pick<MoneySums, 'provider' | 'merchantId' | 'providerAppId'> {
  agreedDays: number;
  /** Days that are over, and that no whole bill was compared with. */
  openDays: string[];
  /** Days whose bill differs from the books. */
  differingDays: string[];
  payments: number;
  paidFen: number;
  refunds: number;
  refundedFen: number;
  /** The sums of the bills that were compared. */
  billedFen: number;
  billedRefundsFen: number;
  /**
   * Explained, and not within the month: the bill is of this month and the books are of its neighbour, or the other way
   * round; or a refund that was closed after its bill. With `settled` this is all that the sums differ by.
   */
  explained: Finding[];
  /** Differences that a person has settled. */
  settled: SettledFinding[];
  /** true: the books are no longer what they were when the days were compared. */
  isChanged: boolean;
  /** true: every day agrees, or its differences are settled, and the books have not changed since. */
  agrees: boolean;
}

interface MonthReport {
  month: string;
  /** Days of it that are not over. 0: the month can be closed. */
  daysLeft: number;
  accounts: Account[];
  money: MoneySums[];
  units: UnitSums[];
  uncovered: Uncovered[];
  broken: string[];
  /** true: there is no account, or no day of the month is over. */
  isEmpty: boolean;
  /** true: bills, books and ledger agree on every day. */
  agrees: boolean;
}

/** Closes a month: says of every account whether bills, books and ledger agree. It only reads. */
export async function reportMonth(month: string, now = Date.now()): Promise<MonthReport> {
  const all = daysOf(month);
  const [first = '', last = ''] = [all[0], all.at(-1)];
  const days = all.filter((day) => now >= Date.parse(chinaDay(day).to));
  const daysLeft = all.length - days.length;
  const period = daysFrom(first, last);
  const { sums, uncovered } = await sumMoney(period);
  const { units, broken } = await sumUnits(period);
  const compared = await daysCompared(first, last);
  const named = accountsOf([...(await accountsSet()), ...compared, ...sums]);
  const accounts: Account[] = [];
  for (const [name, of] of named) {
    const [mine, bills] = [sums, compared].map((list) => list.filter((one) => accountOf(one) === name)) as [
      MoneySums[],
      ComparedDay[],
    ];
    const ofMerchant = compared.filter((day) => day.provider === of.provider && day.merchantId === of.merchantId);
    const comparedDays = new Set(ofMerchant.map(({ day }) => day));
    accounts.push(closed(of, days, { sums: mine, bills, comparedDays }));
  }
  const isEmpty = accounts.length === 0 || days.length === 0;
  const agrees =
    !isEmpty && daysLeft === 0 && uncovered.length + broken.length === 0 && accounts.every((account) => account.agrees);
  return { month, daysLeft, accounts, money: sums, units, uncovered, broken, isEmpty, agrees };
}

/** Each once. A merchant that is not set any more has an account without an AppID only if it has no other. */
function accountsOf<T extends Pick<MoneySums, 'provider' | 'merchantId' | 'providerAppId'>>(all: T[]): [string, T][] {
  const withAppId = new Set(
    all.filter(({ providerAppId }) => providerAppId !== '').map(({ merchantId }) => merchantId),
  );
  const left = all.filter((one) => one.providerAppId !== '' || !withAppId.has(one.merchantId));
  return [...new Map(left.map((one) => [accountOf(one), one]))].sort(([a], [b]) => a.localeCompare(b));
}

/** `2026-11`: all its days. */
function daysOf(month: string): string[] {
  const days: string[] = [];
  for (let day = `${month}-01`; day.startsWith(month); day = dayAfter(day)) days.push(day);
  return days;
}

/** Merchants whose bills exist although nobody may have paid. Without a bill only a merchant with money is closed. */
async function accountsSet() {
  return (await readMerchants()).merchants.filter(({ provider }) => provider === 'wechatpay');
}

function closed(
  { provider, merchantId, providerAppId }: Pick<MoneySums, 'provider' | 'merchantId' | 'providerAppId'>,
  days: readonly string[],
  { sums, bills, comparedDays }: { sums: MoneySums[]; bills: ComparedDay[]; comparedDays: Set<string> },
): Account {
  // A bill is of a merchant. An AppID that is new, or not set any more, has no comparison of its own on some days.
  const openDays = days.filter((day) => !comparedDays.has(day));
  const differingDays = bills.filter(({ differences }) => differences > 0).map(({ day }) => day);
  const books = {
    payments: total(sums.map(({ payments }) => payments)),
    paidFen: total(sums.map(({ paidFen }) => paidFen)),
    refunds: total(sums.map(({ refunds }) => refunds)),
    refundedFen: total(sums.map(({ refundedFen }) => refundedFen)),
  };
  // Each day's bill and books were compared line by line, so the month adds up if its books are still those of its days.
  const isChanged =
    total(bills.map(({ bookedFen }) => bookedFen)) !== books.paidFen ||
    total(bills.map(({ bookedRefundsFen }) => bookedRefundsFen)) !== books.refundedFen;
  return {
    ...{ provider, merchantId, providerAppId, openDays, differingDays, ...books },
    billedFen: total(bills.map((bill) => bill.billedFen)),
    billedRefundsFen: total(bills.map((bill) => bill.refundedFen)),
    agreedDays: days.length - openDays.length - differingDays.length,
    explained: bills.flatMap((bill) => bill.explained).filter(({ otherDay }) => !otherDay || !days.includes(otherDay)),
    settled: bills.flatMap((bill) => bill.settled),
    isChanged,
    agrees: openDays.length + differingDays.length === 0 && !isChanged,
  };
}

const total = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
