import { type Merchant, openProvider, readMerchants } from '../merchant.ts';
import { isFromSandbox, SANDBOX, sandboxBill } from '../sandbox/provider.ts';
import { readTradeBill } from '../wechatpay/bill.ts';
import { type Bill, BillRefused, type BillSubject, type Subject } from './bill.ts';
import { chinaDay } from './china-day.ts';
import { type Comparison, compareBill, type Progress } from './compare.ts';
import { recordComparison } from './record.ts';

interface Asked {
  provider: string;
  day: string;
  /** undefined: the only merchant of this provider. */
  merchantId: string | undefined;
  /** undefined: the bill is downloaded. */
  file: Uint8Array | undefined;
  /** For the operator log. */
  actor: string;
}

/** WeChat's bill of a day can be downloaded from ten o'clock of the next day on. */
const READY_MS = 10 * 3_600_000;

/**
 * Compares the bill of a day with the books, and stores the result. `isEmpty`: neither of them has anything, so nothing
 * was compared. Throws BillRefused (there is no whole bill of that day and merchant), AppError UNAVAILABLE.
 */
export async function reconcileDay(
  asked: Asked,
  { progress, now = Date.now() }: { progress?: Progress; now?: number } = {},
): Promise<Comparison & { isEmpty: boolean }> {
  const { subject, bill } = await subjectOf(asked);
  const comparison = await compareBill(subject, bill ?? { lines: [] }, progress);
  const { payments, refunds, creditedFen, differences, explained } = comparison;
  const isEmpty = payments + refunds + creditedFen + differences.length + explained.length === 0;
  if (bill === null && !isEmpty)
    throw new BillRefused(
      `${asked.provider} has no bill of ${asked.day} yet, and the books have payments or refunds of that day: try again after ten o'clock.`,
    );
  const isOver = now >= Date.parse(chinaDay(asked.day).to) + READY_MS;
  // A day without a bill is known to be empty only when the bill of that day would be there.
  if (bill !== null || isOver) await recordComparison(comparison, asked.actor);
  return { ...comparison, isEmpty };
}

async function subjectOf(asked: Asked): Promise<{ subject: Subject; bill: Bill | null }> {
  const { provider, day, file } = asked;
  if (provider === SANDBOX) {
    if (file) throw new BillRefused('The sandbox has its bill in the database: leave out --bill.');
    const subject = { provider, day, merchantId: '', appIds: new Set(['']), refunds: false, isBilled: isFromSandbox };
    return { subject, bill: { lines: await sandboxBill(chinaDay(day)) } };
  }
  const { merchantId, merchants } = await merchantOf(asked);
  const appIds = new Set(merchants.map(({ providerAppId }) => providerAppId));
  const subject = { provider, day, merchantId, appIds, refunds: true, isBilled: () => true };
  return { subject, bill: file ? readFile(provider, file, subject) : await download(provider, day, merchants) };
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
