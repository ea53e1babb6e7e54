import { AppError } from '../../shared/errors.ts';
import { logChange } from '../../shared/operator-log.ts';
import { planRefund, type RefundPlan } from '../../shared/recharge/operator-refund.ts';
import { findOrder, type Order, ordersOfUser, publicOrder } from '../../shared/recharge/order.ts';
import type { BillLine } from '../../shared/recharge/provider.ts';
import { findProvider } from '../../shared/recharge/providers.ts';
import { billingDay, reconcile, reconcileSandbox } from '../../shared/recharge/reconcile.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { syncOrder } from '../../shared/recharge/sync.ts';
import { rechargeTimeline } from '../../shared/recharge/timeline.ts';
import { parseTradeBill } from '../../shared/recharge/wechatpay/bill.ts';
import { appNames } from '../app-names.ts';
import { type Display, flag, type Given, type Noun, optional, type Printed, required, UsageError } from '../command.ts';
import type { Engines } from '../environment.ts';
import { textOfFile } from '../forms.ts';
import { translated } from '../language.ts';
import { fields, table } from '../table.ts';

const ORDER = required('NO', 'the orderNo');
const AMOUNT = { min: 1, max: 1_000_000_000 };

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
  const shown = { ...order, appId: (await appNames())(order.appId) };
  const text = [
    ...fields(
      Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, valueText(name, value, given.display)])),
    ),
    '',
    ...table(
      ['at', 'what', ''],
      events.map(({ at, what, detail }) => [
        given.display.time(at),
        translated(what),
        detailText(detail, given.display),
      ]),
    ),
    ...(agrees ? [] : ['', 'ORDER AND LEDGER DO NOT AGREE: run "recharge sync", then look again.']),
  ];
  return { json: { ...timeline }, text };
}

const detailText = (detail: Record<string, string | number>, display: Display): string =>
  Object.entries(detail)
    .map(([name, value]) => `${name} ${valueText(name, value, display)}`)
    .join(', ');

/** Members keep their names, which are those of the JSON; the end of a name says what the value is. */
function valueText(name: string, value: string | number | null | undefined, display: Display): string {
  if (value === null || value === undefined) return '';
  if (name.endsWith('At')) return display.time(String(value));
  return name.endsWith('Fen') ? display.money(Number(value)) : String(value);
}

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

const planOf = (given: Given): Promise<RefundPlan> =>
  planRefund({
    orderNo: given.text('order'),
    amountFen: given.optional('amount-fen') === undefined ? undefined : given.integer('amount-fen', AMOUNT),
    key: given.optional('key'),
    again: given.flag('again'),
  });

async function whatRefundPays(given: Given): Promise<string[]> {
  const { order, amountFen, leftFen } = await planOf(given);
  const { money } = given.display;
  return [
    `Order ${order.orderNo} (${order.productId}, user ${order.userId}, ${order.provider}): ${money(amountFen)} of ${money(order.amountFen)} will be paid back.`,
    `Left to refund afterwards: ${money(leftFen - amountFen)}. Units leave the wallet first, also if it becomes negative.`,
  ];
}

async function refund(given: Given): Promise<Printed> {
  const { order, amountFen, key } = await planOf(given);
  const { orderNo } = order;
  const reason = given.optional('reason');
  const made = await requestRefund({ orderNo, amountFen, key, ...(reason !== undefined && { reason }) });
  const { refundNo, status, units } = made;
  const detail = { refundNo, amountFen, units, reason: reason ?? null };
  await logChange({ actor: given.actor, action: 'recharge.refund', subject: orderNo, detail });
  return {
    json: { refundNo, orderNo, amountFen, units, status },
    text: [`Refund ${refundNo} of ${given.display.money(amountFen)} is ${status}; ${units} units left the wallet.`],
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
    show: {
      about: 'Shows all events of an order, and whether order and ledger agree.',
      options: { order: ORDER },
      destructive: false,
      run: show,
    },
    list: {
      about: 'Lists the newest orders of a user, at every app.',
      options: { user: required('ID', 'the userId'), limit: optional('N', 'how many (default 20)') },
      destructive: false,
      run: list,
    },
    sync: {
      about: 'Asks the provider for the state of an order, and credits the order if it is paid.',
      options: { order: ORDER },
      destructive: false,
      run: sync,
    },
    refund: {
      about: 'Refunds an order, in full or in part. Units leave the wallet first, then the money is paid back.',
      options: {
        order: ORDER,
        'amount-fen': optional('N', 'how much (default: all that is left)'),
        reason: optional('TEXT', 'text for the payer'),
        key: optional('KEY', 'the same key never refunds twice'),
        again: flag('one more refund of the same amount within a day'),
      },
      destructive: whatRefundPays,
      run: refund,
    },
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
    'sandbox-key': {
      about: "Prints the key that signs the sandbox's notifications.",
      options: {},
      destructive: false,
      run: sandboxKey,
    },
    pay: {
      about: 'Pays an order at the sandbox and sends its notification.',
      options: {
        order: ORDER,
        'no-notice': flag('sends no notification: only sync or the recharge sweeper finds the payment'),
      },
      destructive: false,
      run: pay,
    },
  },
};
