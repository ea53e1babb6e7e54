import { createHash } from 'node:crypto';
import { tradeBill } from './bill.ts';
import type { ApiCall } from './fault.ts';
import type { KeyMode, MockIdentity, PlatformSigner } from './identity.ts';
import { ApiRefusal, type MockOrders, type MockRefund } from './orders.ts';
import type { OtherTrades } from './other-trades.ts';

export interface WechatPayAnswer {
  readonly status: number;
  /** null: no body. A text (a bill) is sent as it is, without a signature. */
  readonly content: object | string | null;
}

interface ApiRoute {
  /** null: the only call without faults. */
  readonly call: ApiCall | null;
  run(): WechatPayAnswer;
}

export interface ApiContext {
  readonly identity: MockIdentity;
  readonly orders: MockOrders;
  readonly otherTrades: OtherTrades;
  readonly signer: PlatformSigner;
  readonly keyMode: KeyMode;
  readonly now: () => number;
  readonly onRefund: (refund: MockRefund) => void;
  /** URL of this server. */
  readonly origin: () => string;
}

const orderNo = /^[0-9A-Za-z_\-|*]{6,32}$/;
const refundNo = /^[0-9A-Za-z_\-|*@]{1,64}$/;

/** The part of API v3 that a mini-program merchant needs. null: no such path. `run` may throw ApiRefusal. */
export function findRoute(method: string, target: string, body: string, context: ApiContext): ApiRoute | null {
  const url = new URL(target, 'http://mock');
  const [, version, ...path] = url.pathname.split('/').map(decoded);
  if (version !== 'v3') return null;
  const route = `${method} ${path.map((part, index) => (index === 3 && part !== 'refunds' ? '*' : part)).join('/')}`;
  const number = path[3] ?? '';
  switch (route) {
    case 'POST pay/transactions/jsapi':
      return { call: 'prepay', run: () => prepay(readBody(body), context) };
    case 'GET pay/transactions/out-trade-no/*':
      return { call: 'query', run: () => query(number, url.searchParams.get('mchid'), context) };
    case 'POST pay/transactions/out-trade-no/*/close':
      return { call: 'close', run: () => close(number, readBody(body), context) };
    case 'POST refund/domestic/refunds':
      return { call: 'refund', run: () => refund(readBody(body), context) };
    case 'GET refund/domestic/refunds/*':
      return { call: 'query-refund', run: () => queryRefund(number, context) };
    case 'GET bill/tradebill':
      return { call: null, run: () => billAddress(url.searchParams.get('bill_date'), context) };
    case 'GET billdownload/file':
      return { call: null, run: () => ({ status: 200, content: bill(url.searchParams.get('token'), context) }) };
    case 'GET certificates':
      return context.keyMode === 'public-key' ? null : { call: null, run: () => certificates(context) };
    default:
      return null;
  }
}

function prepay(body: Fields, { identity, orders, now }: ApiContext): WechatPayAnswer {
  const merchantFits = body.appid === identity.appId && body.mchid === identity.mchId;
  if (!merchantFits) throw new ApiRefusal(400, 'APPID_MCHID_NOT_MATCH', 'appid and mchid do not belong together');
  const amount = fields(body.amount, 'amount');
  const expiresAtMs =
    body.time_expire === undefined ? now() + 7_200_000 : Date.parse(line(body.time_expire, 'time_expire', 64));
  if (Number.isNaN(expiresAtMs)) throw wrong('time_expire');
  if (amount.currency !== undefined && amount.currency !== 'CNY') throw wrong('amount.currency');
  const prepayId = orders.prepay({
    outTradeNo: form(body.out_trade_no, orderNo, 'out_trade_no'),
    description: line(body.description, 'description', 127),
    totalFen: fen(amount.total, 'amount.total'),
    openid: line(fields(body.payer, 'payer').openid, 'payer.openid', 128),
    notifyUrl: notifyUrl(body.notify_url),
    expiresAtMs,
  });
  return { status: 200, content: { prepay_id: prepayId } };
}

function query(outTradeNo: string, mchId: string | null, { identity, orders }: ApiContext): WechatPayAnswer {
  if (mchId !== identity.mchId) throw wrong('mchid');
  return { status: 200, content: orders.transaction(outTradeNo) };
}

function close(outTradeNo: string, body: Fields, { identity, orders }: ApiContext): WechatPayAnswer {
  if (body.mchid !== identity.mchId) throw wrong('mchid');
  orders.close(outTradeNo);
  return { status: 204, content: null };
}

function refund(body: Fields, { orders, onRefund }: ApiContext): WechatPayAnswer {
  const amount = fields(body.amount, 'amount');
  if (amount.currency !== 'CNY') throw wrong('amount.currency');
  if (body.reason !== undefined) line(body.reason, 'reason', 80);
  const before = orders.listRefunds().length;
  const kept = orders.refund({
    outTradeNo: form(body.out_trade_no, orderNo, 'out_trade_no'),
    outRefundNo: form(body.out_refund_no, refundNo, 'out_refund_no'),
    refundFen: fen(amount.refund, 'amount.refund'),
    totalFen: fen(amount.total, 'amount.total'),
    notifyUrl: body.notify_url === undefined ? null : notifyUrl(body.notify_url),
  });
  if (orders.listRefunds().length > before) onRefund(kept);
  return { status: 200, content: orders.refundRecord(kept, 'answer') };
}

function queryRefund(outRefundNo: string, { orders }: ApiContext): WechatPayAnswer {
  return { status: 200, content: orders.refundRecord(orders.findRefund(outRefundNo), 'answer') };
}

function billAddress(day: string | null, context: ApiContext): WechatPayAnswer {
  const hash = createHash('sha1').update(bill(day, context)).digest('hex');
  const address = `${context.origin()}/v3/billdownload/file?token=${day}`;
  return { status: 200, content: { hash_type: 'SHA1', hash_value: hash, download_url: address } };
}

function bill(day: string | null, { identity, orders, otherTrades }: ApiContext): string {
  const date = form(day, /^\d{4}-\d\d-\d\d$/, 'bill_date');
  const text = tradeBill(date, identity, {
    orders: orders.list(),
    refunds: orders.listRefunds(),
    others: otherTrades.list(),
  });
  if (text === null) throw new ApiRefusal(400, 'NO_STATEMENT_EXIST', 'nothing happened on that day');
  return text;
}

function certificates({ identity, signer }: ApiContext): WechatPayAnswer {
  const { id, pem } = identity.platform.certificate;
  const times = { effective_time: '2024-01-01T08:00:00+08:00', expire_time: '2044-01-01T08:00:00+08:00' };
  return {
    status: 200,
    content: { data: [{ serial_no: id, ...times, encrypt_certificate: signer.seal(pem, 'certificate') }] },
  };
}

type Fields = Record<string, unknown>;

function readBody(body: string): Fields {
  try {
    return fields(JSON.parse(body), 'body');
  } catch {
    throw wrong('body');
  }
}

function fields(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(name);
  return value as Fields;
}

function form(value: unknown, pattern: RegExp, name: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) throw wrong(name);
  return value;
}

/** WeChat counts bytes of UTF-8, of which a Chinese character has three and most emoji four. */
function line(value: unknown, name: string, mostBytes: number): string {
  if (typeof value !== 'string' || value.length === 0 || Buffer.byteLength(value) > mostBytes) throw wrong(name);
  if (/\p{Cs}/u.test(value)) throw wrong(name);
  return value;
}

function fen(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw wrong(name);
  return value as number;
}

/** WeChat requires https. The mock also accepts http for receivers on this machine. */
function notifyUrl(value: unknown): string {
  if (typeof value !== 'string' || !URL.canParse(value) || /[?#]/.test(value) || value.length > 255)
    throw wrong('notify_url');
  const { protocol, hostname } = new URL(value);
  const local = protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
  if (protocol !== 'https:' && !local) throw wrong('notify_url');
  return value;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

function wrong(name: string): ApiRefusal {
  return new ApiRefusal(400, 'PARAM_ERROR', `${name} is wrong`);
}
