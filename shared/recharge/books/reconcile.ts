import { type Merchant, openProvider, readMerchants } from '../merchant.ts';
import { isFromSandbox, SANDBOX, sandboxBill } from '../sandbox/provider.ts';
import { readTradeBill } from '../wechatpay/bill.ts';
import { type Bill, BillRefused, type BillSubject, type Subject } from './bill.ts';
import { chinaDay } from './china-day.ts';
import { type Comparison, compareBill, type Progress } from './compare.ts';
import type { Finding } from './finding.ts';
import { recordComparison } from './record.ts';
import { type SettledFinding, splitSettled } from './settled.ts';

interface Asked {
  provider: string;
  day: string;
  /** undefined: the only merchant of this provider. */
  merchantId: string | undefined;
  /** undefined: the bill is downloaded. */
  file: Uint8Array | undefined;
  /** Files of the bills of other days, by their day. */
  others?: ReadonlyMap<string, Uint8Array>;
  /** For the operator log. */
  actor: string;
}

/** WeChat's bill of a day can be downloaded from ten o'clock of the next day on. */
const READY_MS = 10 * 3_600_000;
const isReady = (day: string, now: number): boolean => now >= Date.parse(chinaDay(day).to) + READY_MS;

export interface Reconciled extends Comparison {
  /** What a person has settled; `differences` and `undecided` have only the others. */
  settled: SettledFinding[];
  /** Neither side has anything. */
  isEmpty: boolean;
  /** The provider has no bill of a day of which the books have something that no other bill has. */
  isWithoutBill: boolean;
}

/**
 * Compares the bill of a day with the books, and stores the result. What is near midnight is looked for in the bills of
 * the neighbouring days, which are read in the same way. Throws BillRefused (there is no whole bill of that day and
 * merchant), AppError UNAVAILABLE.
 */
export async function reconcileDay(
  asked: Asked,
  { progress, now = Date.now() }: { progress?: Progress; now?: number } = {},
): Promise<Reconciled> {
  const { provider, day, actor } = asked;
  const { subject, read } = await subjectOf(asked);
  const bill = await read(day);
  const billOf = async (other: string): Promise<Bill | undefined> => {
    const isGiven = asked.others?.has(other) ?? false;
    if (!isGiven && provider !== SANDBOX && (asked.file || !isReady(other, now))) return undefined;
    return (await read(other)) ?? { lines: [] };
  };
  const comparison = await compareBill(subject, bill ?? { lines: [] }, { progress, billOf });
  const { payments, refunds, creditedFen, differences, undecided, explained } = comparison;
  const left = differences.length + undecided.length;
  const isEmpty = payments + refunds + creditedFen + left + explained.length === 0;
  const isOver = isReady(day, now);
  if (bill === null && !isEmpty && !isOver)
    throw new BillRefused(
      `${provider} has no bill of ${day} yet, and the books have payments or refunds of that day: try again after ten o'clock.`,
    );
  // A day without a bill is known to be empty only when the bill of that day would be there.
  if (bill !== null || isOver) await recordComparison(comparison, actor);
  const { open, settled } = await splitSettled([...differences, ...undecided]);
  const isOpen = ({ standing }: Finding): boolean => standing === 'open';
  const rest = { differences: open.filter(isOpen), undecided: open.filter((one) => !isOpen(one)) };
  return { ...comparison, ...rest, settled, isEmpty, isWithoutBill: bill === null && open.length > 0 };
}

/** `read`: the bill of a day of this merchant, from its file if that was given; null: the provider has none. */
async function subjectOf(asked: Asked): Promise<{ subject: Subject; read: (day: string) => Promise<Bill | null> }> {
  const { provider, day, file, others } = asked;
  if (provider === SANDBOX) {
    if (file || others?.size)
      throw new BillRefused('The sandbox has its bills in the database: leave out --bill and --also.');
    const subject = { provider, day, merchantId: '', appIds: new Set(['']), refunds: false, isBilled: isFromSandbox };
    return { subject, read: async (of) => ({ lines: await sandboxBill(chinaDay(of)) }) };
  }
  const { merchantId, merchants } = await merchantOf(asked);
  // Of a merchant that is not set any more: '' keeps the result of a day without payments.
  const appIds = new Set(merchants.length === 0 ? [''] : merchants.map(({ providerAppId }) => providerAppId));
  const read = async (of: string): Promise<Bill | null> => {
    const given = of === day ? file : others?.get(of);
    return given ? readFile(provider, given, { day: of, merchantId }) : download(provider, of, merchants);
  };
  return { subject: { provider, day, merchantId, appIds, refunds: true, isBilled: () => true }, read };
}

/** A former merchant is not set any more. It can still be named, together with the file of its bill. */
async function merchantOf({
  provider,
  merchantId,
  file,
}: Asked): Promise<{ merchantId: string; merchants: Merchant[] }> {
  const all = (await readMerchants()).merchants.filter((merchant) => merchant.provider === provider);
  const known = [...new Set(all.map((merchant) => merchant.merchantId))];
  const named = merchantId ?? (known.length === 1 ? known[0] : undefined);
  if (named === undefined && known.length > 0)
    throw new BillRefused(`${provider} has several merchants: name one of ${known.join(', ')} with --merchant.`);
  if (named === undefined || (!known.includes(named) && !file))
    throw new BillRefused(`No merchant is set for ${provider} under this number: see "merchant list".`);
  return { merchantId: named, merchants: all.filter((merchant) => merchant.merchantId === named) };
}

function readFile(provider: string, file: Uint8Array, subject: BillSubject): Bill {
  if (provider !== 'wechatpay') throw noBill(provider);
  return readTradeBill(file, subject);
}

async function download(provider: string, day: string, merchants: readonly Merchant[]): Promise<Bill | null> {
  for (const merchant of merchants) {
    const opened = openProvider(merchant);
    if (opened?.bill) return opened.bill(day);
    if (opened) throw noBill(provider);
  }
  throw new BillRefused(`The settings of the merchant of ${provider} cannot be used: run "merchant set" again.`);
}

const noBill = (provider: string): BillRefused =>
  new BillRefused(`${provider} has no bill that can be compared: compare the sums of "recharge day" with its console.`);
