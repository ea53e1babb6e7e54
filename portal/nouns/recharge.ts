import { randomUUID } from 'node:crypto';
import { AppError } from '../../shared/errors.ts';
import { logChange } from '../../shared/operator-log.ts';
import { findOrder, type Order, ordersOfUser, publicOrder } from '../../shared/recharge/order.ts';
import type { BillLine } from '../../shared/recharge/provider.ts';
import { findProvider } from '../../shared/recharge/providers.ts';
import { billingDay, reconcile, reconcileSandbox } from '../../shared/recharge/reconcile.ts';
import { refundsOf, requestRefund } from '../../shared/recharge/refund.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { syncOrder } from '../../shared/recharge/sync.ts';
import { rechargeTimeline } from '../../shared/recharge/timeline.ts';
import { parseTradeBill } from '../../shared/recharge/wechatpay/bill.ts';
import { flag, type Given, type Noun, optional, type Printed, required, UsageError } from '../command.ts';
import type { Engines } from '../environment.ts';
import { textOfFile } from '../forms.ts';
import { fields, table } from '../table.ts';

const ORDER = required('NO', 'the orderNo');

async function sandboxKey(): Promise<Printed> {
  const key = process.env.SANDBOX_KEY;
  if (!key) throw new AppError('NOT_FOUND', 'There is no sandbox here: SANDBOX_KEY is not set.');
  return { json: { key }, text: [JSON.stringify({ key })] };
}

async function known(orderNo: string): Promise<Order> {
  const order = await findOrder(orderNo);
  if (!order) throw new AppError('NOT_FOUND', `There is no order ${orderNo}.`);
  return order;
}

async function pay(given: Given, { url }: Engines): Promise<Printed> {
  const { orderNo, provider } = await known(given.text('order'));
  if (provider !== 'sandbox')
    throw new AppError('INVALID_INPUT', `This order is paid at ${provider}, not at the sandbox.`);
  await sandboxKey();
  const { notified } = await payAtSandbox(orderNo, { notification: !given.flag('no-notice'), ...(url && { url }) });
  await logChange({ actor: given.actor, action: 'recharge.pay', subject: orderNo, detail: { notified } });
  const { status } = await known(orderNo);
  const rest = notified ? 'its notification was accepted' : 'no notification was sent: use "recharge sync"';
  return {
    json: { orderNo, notified, status },
    text: [`${orderNo} is paid at the sandbox, ${rest}. Status: ${status}.`],
  };
}

async function show(given: Given): Promise<Printed> {
  const { orderNo } = await known(given.text('order'));
  const timeline = await rechargeTimeline(orderNo);
  const { order, events, agrees } = timeline;
  const text = [
    ...fields(Object.fromEntries(Object.entries(order).map(([name, value]) => [name, String(value ?? '')]))),
    '',
    ...table(
      ['at', 'what', ''],
      events.map(({ at, what, detail }) => [at, what, detailText(detail)]),
    ),
    ...(agrees ? [] : ['', 'ORDER AND LEDGER DO NOT AGREE: run "recharge sync", then look again.']),
  ];
  return { json: { ...timeline }, text };
}

const detailText = (detail: Record<string, string | number>): string =>
  Object.entries(detail)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

async function list(given: Given): Promise<Printed> {
  const limit = given.optional('limit') === undefined ? 20 : given.integer('limit', { min: 1, max: 500 });
  const found = await ordersOfUser(given.text('user'), limit);
  const orders = found.map((order) => ({ ...publicOrder(order), provider: order.provider, appId: order.appId }));
  const rows = orders.map(({ orderNo, createdAt, status, productId, amountFen, provider, appId }) => [
    orderNo,
    createdAt,
    status,
    productId,
    String(amountFen),
    provider,
    appId,
  ]);
  const head = ['order', 'at', 'status', 'product', 'fen', 'provider', 'AppID'];
  const none = 'This user has no orders: is it the userId? "user find --account NAME" prints the userId.';
  return { json: { orders }, text: rows.length === 0 ? [none] : table(head, rows) };
}

async function sync(given: Given): Promise<Printed> {
  const before = await known(given.text('order'));
  const after = await syncOrder(before);
  const { orderNo, status } = after;
  await logChange({
    actor: given.actor,
    action: 'recharge.sync',
    subject: orderNo,
    detail: { before: before.status, after: status },
  });
  const text =
    before.status === status ? `${orderNo} is still ${status}.` : `${orderNo} was ${before.status}, now ${status}.`;
  return { json: { order: publicOrder(after) }, text: [text] };
}

async function refund(given: Given): Promise<Printed> {
  const { orderNo, amountFen: paidFen } = await known(given.text('order'));
  const asked = (await refundsOf(orderNo)).filter(({ status }) => status !== 'closed');
  const leftFen = paidFen - asked.reduce((sum, { amountFen }) => sum + amountFen, 0);
  const limits = { min: 1, max: 1_000_000_000 };
  const amountFen = given.optional('amount-fen') === undefined ? leftFen : given.integer('amount-fen', limits);
  if (amountFen < 1) throw new AppError('INVALID_INPUT', `Nothing is left to refund of order ${orderNo}.`);
  const key = given.optional('key') ?? randomUUID();
  const reason = given.optional('reason');
  const made = await requestRefund({ orderNo, amountFen, key, ...(reason !== undefined && { reason }) });
  const { refundNo, status, units } = made;
  const detail = { refundNo, amountFen, units, reason: reason ?? null };
  await logChange({ actor: given.actor, action: 'recharge.refund', subject: orderNo, detail });
  return {
    json: { refundNo, orderNo, amountFen, units, status },
    text: [`Refund ${refundNo} of ${amountFen} fen is ${status}; ${units} units left the wallet.`],
  };
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
  const { differences, payments, refunds, billedFen, creditedFen } = report;
  const rows = differences.map(({ what, orderNo, reference, billFen, ledgerFen }) => [
    what,
    orderNo,
    reference,
    String(billFen ?? '-'),
    String(ledgerFen ?? '-'),
  ]);
  const sums = `bill: ${payments} payments of ${billedFen} fen, ${refunds} refunds; ledger: ${creditedFen} fen.`;
  const text =
    rows.length === 0
      ? [`Bill and ledger agree in both directions. ${sums}`]
      : [...table(['what', 'order', 'reference', 'bill fen', 'ledger fen'], rows), '', sums];
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
    show: {
      about: 'Shows all events of an order, and whether order and ledger agree.',
      options: { order: ORDER },
      run: show,
    },
    list: {
      about: 'Lists the newest orders of a user, at every app.',
      options: { user: required('ID', 'the userId'), limit: optional('N', 'how many (default 20)') },
      run: list,
    },
    sync: {
      about: 'Asks the provider for the state of an order, and credits the order if it is paid.',
      options: { order: ORDER },
      run: sync,
    },
    refund: {
      about: 'Refunds an order, in full or in part. Units leave the wallet first, then the money is paid back.',
      options: {
        order: ORDER,
        'amount-fen': optional('N', 'how much (default: all that is left)'),
        reason: optional('TEXT', 'text for the payer'),
        key: optional('KEY', 'the same key never refunds twice (default: a new key)'),
      },
      run: refund,
    },
    reconcile: {
      about: "Compares a provider's bill with the ledger, in both directions. Exit code 1: they differ.",
      options: {
        provider: optional('NAME', 'the payment provider (default sandbox)'),
        day: optional('YYYY-MM-DD', 'a day in China (default: yesterday; sandbox: yesterday and today)'),
        bill: optional('FILE', "WeChat Pay's trade bill (type ALL) of that day (default: download it)"),
      },
      run: compare,
    },
    'sandbox-key': { about: "Prints the key that signs the sandbox's notifications.", options: {}, run: sandboxKey },
    pay: {
      about: 'Pays an order at the sandbox and sends its notification.',
      options: {
        order: ORDER,
        'no-notice': flag('sends no notification: only sync or the recharge sweeper finds the payment'),
      },
      run: pay,
    },
  },
};
