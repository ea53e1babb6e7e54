import { AppError } from '../../shared/errors.ts';
import { ordersOfUser, publicOrder } from '../../shared/recharge/order.ts';
import type { BillLine } from '../../shared/recharge/provider.ts';
import { findProvider } from '../../shared/recharge/providers.ts';
import { billingDay, reconcile, reconcileSandbox } from '../../shared/recharge/reconcile.ts';
import { parseTradeBill } from '../../shared/recharge/wechatpay/bill.ts';
import { appNames } from '../app-names.ts';
import { type Given, type Noun, optional, type Printed, required, UsageError } from '../command.ts';
import { textOfFile } from '../forms.ts';
import { translated } from '../language.ts';
import { table } from '../table.ts';
import { adjustVerb } from './recharge-adjust.ts';
import { payVerb, sandboxKeyVerb } from './recharge-pay.ts';
import { refundBookVerb, refundCancelVerb, refundRedoVerb, refundVerb } from './recharge-refund.ts';
import { approveVerb, rejectVerb, requestsVerb } from './recharge-request.ts';
import { showVerb } from './recharge-show.ts';
import { syncVerb } from './recharge-sync.ts';

async function list(given: Given): Promise<Printed> {
  const limit = given.optional('limit') === undefined ? 20 : given.integer('limit', { min: 1, max: 500 });
  const found = await ordersOfUser(given.text('user'), limit);
  const orders = found.map((order) => ({ ...publicOrder(order), provider: order.provider, appId: order.appId }));
  const nameOf = await appNames();
  const rows = orders.map(({ orderNo, createdAt, status, productId, amountFen, provider, appId }) => [
    orderNo,
    given.display.time(createdAt),
    status,
    productId,
    given.display.money(amountFen),
    provider,
    nameOf(appId),
  ]);
  const head = ['order', 'at', 'status', 'product', 'amount', 'provider', 'app'];
  const none = 'This user has no orders: is it the userId? "user find --account NAME" prints the userId.';
  return { json: { orders }, text: rows.length === 0 ? [none] : table(head, rows) };
}

async function compare(given: Given): Promise<Printed> {
  const [day, file] = [given.optional('day'), given.optional('bill')];
  const provider = given.optional('provider') ?? 'sandbox';
  if (day !== undefined && !isDay(day)) throw new UsageError('--day takes a day such as 2026-11-24');
  if (file !== undefined && day === undefined) throw new UsageError('--bill takes --day, the day that was billed');
  const today = new Date(Date.now() + BEIJING_MS).toISOString().slice(0, 10);
  const yesterday = new Date(Date.now() + BEIJING_MS - DAY_MS).toISOString().slice(0, 10);
  const now = { from: billingDay(yesterday).from, to: billingDay(today).to };
  const report =
    provider === 'sandbox'
      ? await reconcileSandbox(day ? billingDay(day) : now)
      : await reconcile(provider, billingDay(day ?? yesterday), await billOf(provider, day ?? yesterday, file));
  const { money } = given.display;
  const { differences, payments, refunds, billedFen, creditedFen } = report;
  const rows = differences.map(({ what, orderNo, reference, billFen, ledgerFen }) => [
    translated(what),
    orderNo,
    reference,
    billFen === null ? '-' : money(billFen),
    ledgerFen === null ? '-' : money(ledgerFen),
  ]);
  const sums = `bill: ${payments} payments of ${money(billedFen)}, ${refunds} refunds; ledger: ${money(creditedFen)}.`;
  const text =
    rows.length === 0
      ? [`Bill and ledger agree in both directions. ${sums}`]
      : [...table(['what', 'order', 'reference', 'bill', 'ledger'], rows), '', sums];
  return { json: { ...report }, text, problemFound: rows.length > 0 };
}

async function billOf(provider: string, day: string, file: string | undefined): Promise<BillLine[]> {
  if (file !== undefined) return parseTradeBill(textOfFile('bill', file));
  const found = await findProvider(provider);
  if (!found) throw new AppError('NOT_FOUND', `No merchant is set for ${provider}.`);
  if (!found.bill) throw new UsageError(`${provider} offers no bill to download`);
  return found.bill(day);
}

const BEIJING_MS = 8 * 3_600_000;
const DAY_MS = 24 * 3_600_000;

/** 30 February is not a day; JavaScript would turn it into a day in March. */
function isDay(text: string): boolean {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

export const recharge: Noun = {
  about: 'orders, payments and refunds',
  verbs: {
    show: showVerb,
    list: {
      about: 'Lists the newest orders of a user, at every app.',
      options: { user: required('ID', 'the userId'), limit: optional('N', 'how many (default 20)') },
      destructive: false,
      run: list,
    },
    sync: syncVerb,
    reconcile: {
      about: "Compares a provider's bill with the ledger, in both directions. Exit code 1: they differ.",
      options: {
        provider: optional('NAME', 'the payment provider (default sandbox)'),
        day: optional('YYYY-MM-DD', 'a day in China (default: yesterday; sandbox: yesterday and today)'),
        bill: optional('FILE', "WeChat Pay's trade bill (type ALL) of that day (default: download it)"),
      },
      destructive: false,
      run: compare,
    },
    refund: refundVerb,
    'refund-cancel': refundCancelVerb,
    'refund-redo': refundRedoVerb,
    'refund-book': refundBookVerb,
    adjust: adjustVerb,
    requests: requestsVerb,
    approve: approveVerb,
    reject: rejectVerb,
    'sandbox-key': sandboxKeyVerb,
    pay: payVerb,
  },
};
