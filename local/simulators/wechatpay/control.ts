import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WechatPayConfig } from '../../../shared/recharge/wechatpay/input.ts';
import { readFault, type WechatPayFault } from './fault.ts';
import type { NotificationRecord } from './notifications.ts';
import { ApiRefusal, type MockOrder, type MockRefund, type PayWay, type RefundEnd } from './orders.ts';
import { cashierPage } from './page.ts';
import { type LoggedCall, readAll } from './server.ts';

export interface MockWechatPay {
  readonly url: string;
  /** The complete configuration for createWechatPay. Set your own notifyUrl here or by the option. */
  readonly config: WechatPayConfig;
  readonly manual: boolean;
  /** Unix seconds of the mock's clock. With a manual clock, pass it to createWechatPay and verifyNotification. */
  now(): number;
  /** Pays as the payer does. Resolves when the first delivery of the notification has ended, also if it failed. */
  pay(outTradeNo: string, how?: PayWay): Promise<void>;
  /** A payment at another AppID of the merchant. Only the bill shows it. */
  payElsewhere(trade: { appId: string; outTradeNo: string; totalFen: number }): void;
  refundResult(outRefundNo: string, status: RefundEnd): Promise<void>;
  /** Makes and ends a refund at the merchant platform. `notify` false: its notification is never sent. */
  refundAtConsole(
    outTradeNo: string,
    refundFen: number,
    options?: { status?: RefundEnd; notify?: boolean },
  ): Promise<{ outRefundNo: string; refundId: string }>;
  setFault(fault: WechatPayFault): void;
  clearFaults(): void;
  /** Holds notifications back until `releaseNotifications` sends them, in the same or in reverse order. */
  holdNotifications(): void;
  releaseNotifications(order: 'same' | 'reverse'): Promise<void>;
  /** false: no such notification. */
  resendNotification(id: string): Promise<boolean>;
  advance(milliseconds: number): Promise<void>;
  orders(): MockOrder[];
  refunds(): MockRefund[];
  notifications(): NotificationRecord[];
  requests(): LoggedCall[];
  stop(): Promise<void>;
}

/** The exported functions over HTTP, for tests in other languages and for the page. */
export async function serveControl(
  request: IncomingMessage,
  response: ServerResponse,
  mock: MockWechatPay,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0];
  if (request.method === 'GET' && path === '/') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(cashierPage);
    return;
  }
  // Browsers send a preflight before another origin may use this type, and the mock does not allow it.
  if (request.method === 'POST' && request.headers['content-type'] !== 'application/json') {
    send(response, 415, { message: 'send application/json' });
    return;
  }
  const input = request.method === 'POST' ? readObject(await readAll(request)) : {};
  try {
    const answer = input === null ? undefined : await answerTo(`${request.method} ${path}`, input, mock);
    if (answer === undefined) send(response, 404, { message: 'no such control call, or wrong input' });
    else send(response, 200, answer);
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    send(response, 409, { code: error.code, message: error.message });
  }
}

/** undefined: unknown call or wrong input. */
async function answerTo(
  call: string,
  input: Record<string, unknown>,
  mock: MockWechatPay,
): Promise<object | undefined> {
  const done = { done: true };
  switch (call) {
    case 'GET /_mock/config':
      return mock.config;
    case 'GET /_mock/state':
      return { now: mock.now(), orders: mock.orders(), refunds: mock.refunds(), notifications: mock.notifications() };
    case 'GET /_mock/requests':
      return { requests: mock.requests() };
    case 'POST /_mock/pay':
      if (typeof input.outTradeNo !== 'string') return undefined;
      await mock.pay(input.outTradeNo, { evenIfClosed: input.evenIfClosed === true });
      return done;
    case 'POST /_mock/refund-result':
      if (typeof input.outRefundNo !== 'string' || !isRefundEnd(input.status)) return undefined;
      await mock.refundResult(input.outRefundNo, input.status);
      return done;
    case 'POST /_mock/console-refund': {
      const { outTradeNo, refundFen, status = 'SUCCESS' } = input;
      const isFen = Number.isSafeInteger(refundFen) && (refundFen as number) >= 1;
      if (typeof outTradeNo !== 'string' || !isFen || !isRefundEnd(status)) return undefined;
      return mock.refundAtConsole(outTradeNo, refundFen as number, { status });
    }
    case 'POST /_mock/fault': {
      const fault = readFault(input);
      if (fault === null) return undefined;
      mock.setFault(fault);
      return done;
    }
    case 'POST /_mock/clear-faults':
      mock.clearFaults();
      return done;
    case 'POST /_mock/hold':
      mock.holdNotifications();
      return done;
    case 'POST /_mock/release':
      await mock.releaseNotifications(input.order === 'reverse' ? 'reverse' : 'same');
      return done;
    case 'POST /_mock/resend':
      return typeof input.id === 'string' && (await mock.resendNotification(input.id)) ? done : undefined;
    case 'POST /_mock/advance':
      if (!mock.manual || typeof input.milliseconds !== 'number' || !(input.milliseconds >= 0)) return undefined;
      await mock.advance(input.milliseconds);
      return done;
    default:
      return undefined;
  }
}

function isRefundEnd(value: unknown): value is RefundEnd {
  return value === 'SUCCESS' || value === 'CLOSED' || value === 'ABNORMAL';
}

function readObject(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body === '' ? '{}' : body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function send(response: ServerResponse, status: number, content: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(content));
}
