import { chinaDay } from './china-day.ts';
import { type ComparedDay, daysCompared } from './compared.ts';
import { type MoneySums, sumMoney, type Uncovered } from './money.ts';
import { sumUnits, type UnitSums } from './units.ts';

interface DayReport {
  day: string;
  money: MoneySums[];
  units: UnitSums[];
  /** Comparisons with a bill, one for each AppID of a merchant. */
  bills: ComparedDay[];
  /** AppIDs of merchants that have money of the day and no comparison. */
  open: Array<Pick<MoneySums, 'provider' | 'merchantId' | 'providerAppId'>>;
  /** Payments and refunds with which the ledger does not agree. */
  uncovered: Uncovered[];
  /** Wallets whose entries do not lead to their balance. */
  broken: string[];
}

/** What an accountant needs of a day in China. It only reads. */
export async function reportDay(day: string): Promise<DayReport> {
  const period = chinaDay(day);
  const { sums, uncovered } = await sumMoney(period);
  const { units, broken } = await sumUnits(period);
  const bills = await daysCompared(day, day);
  const compared = new Set(bills.map(accountOf));
  const open = new Map(sums.filter((one) => !compared.has(accountOf(one))).map((one) => [accountOf(one), one]));
  return {
    day,
    money: sums,
    units,
    bills,
    open: [...open.values()].map(({ provider, merchantId, providerAppId }) => ({
      provider,
      merchantId,
      providerAppId,
    })),
    uncovered,
    broken,
  };
}

/** Names an AppID of a merchant of a provider: what a bill is compared for. */
export const accountOf = (of: Pick<MoneySums, 'provider' | 'merchantId' | 'providerAppId'>): string =>
  [of.provider, of.merchantId, of.providerAppId].filter(Boolean).join('/');
