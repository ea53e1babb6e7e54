import { readMerchants } from '../merchant.ts';
import { chinaDay, dayAfter, daysFrom, type Period } from './china-day.ts';
import { type ComparedDay, daysCompared } from './compared.ts';
import { accountOf } from './day.ts';
import { type MoneySums, sumMoney, type Uncovered } from './money.ts';
import { paymentsBooked } from './pages.ts';
import { sumUnits, type UnitSums } from './units.ts';

/** What is closed: one AppID of one merchant. */
interface Account extends Pick<MoneySums, 'provider' | 'merchantId' | 'providerAppId'> {
  agreedDays: number;
  /** Days that no whole bill was compared with. */
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
  /** true: every day agrees, and the sums of the bills are those of the books. */
  agrees: boolean;
}

interface MonthReport {
  month: string;
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
  const days = daysOf(month);
  const [first = '', last = ''] = [days[0], days.at(-1)];
  const period = daysFrom(first, last);
  const { sums, uncovered } = await sumMoney(period);
  const { units, broken } = await sumUnits(period);
  const compared = await daysCompared(first, last);
  const named = new Map([...(await accountsSet()), ...compared, ...sums].map((of) => [accountOf(of), of]));
  const accounts: Account[] = [];
  for (const [name, of] of [...named].sort(([a], [b]) => a.localeCompare(b))) {
    const [mine, bills] = [sums, compared].map((list) => list.filter((one) => accountOf(one) === name)) as [
      MoneySums[],
      ComparedDay[],
    ];
    accounts.push(closed(of, days, { sums: mine, bills, edgeFen: await edgeFen(of, period) }));
  }
  const isEmpty = accounts.length === 0 || now < Date.parse(chinaDay(first).to);
  const agrees = !isEmpty && uncovered.length + broken.length === 0 && accounts.every((account) => account.agrees);
  return { month, accounts, money: sums, units, uncovered, broken, isEmpty, agrees };
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
  { sums, bills, edgeFen }: { sums: readonly MoneySums[]; bills: readonly ComparedDay[]; edgeFen: number },
): Account {
  const byDay = new Map(bills.map((bill) => [bill.day, bill]));
  const openDays = days.filter((day) => !byDay.has(day));
  const differingDays = bills.filter(({ differences }) => differences > 0).map(({ day }) => day);
  const books = {
    payments: total(sums.map(({ payments }) => payments)),
    paidFen: total(sums.map(({ paidFen }) => paidFen)),
    refunds: total(sums.map(({ refunds }) => refunds)),
    refundedFen: total(sums.map(({ refundedFen }) => refundedFen)),
  };
  const billedFen = total(bills.map((bill) => bill.billedFen));
  const billedRefundsFen = total(bills.map((bill) => bill.refundedFen));
  return {
    ...{ provider, merchantId, providerAppId, openDays, differingDays, ...books, billedFen, billedRefundsFen },
    agreedDays: bills.length - differingDays.length,
    agrees: openDays.length + differingDays.length === 0 && Math.abs(billedFen - books.paidFen) <= edgeFen,
  };
}

/** As in the comparison of a day: so close to midnight, books and bill may have a payment in different months. */
const EDGE_MS = 10 * 60_000;

/** What was paid around the beginning and the end of the month. */
async function edgeFen(
  account: Pick<MoneySums, 'provider' | 'merchantId' | 'providerAppId'>,
  period: Period,
): Promise<number> {
  let fen = 0;
  for (const midnight of [period.from, period.to].map((time) => Date.parse(time))) {
    const around = [midnight - EDGE_MS, midnight + EDGE_MS].map((time) => new Date(time).toISOString()) as [
      string,
      string,
    ];
    for await (const page of paymentsBooked(account, { from: around[0], to: around[1] }))
      for (const payment of page) if (payment.providerAppId === account.providerAppId) fen += payment.amountFen;
  }
  return fen;
}

const total = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
