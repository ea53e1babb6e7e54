import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { manualClock, realClock } from './clock.ts';
import { type MockWechatPay, serveControl } from './control.ts';
import { Faults } from './fault.ts';
import { createSigner, type KeyKind, type KeyMode, type MockIdentity, newIdentity } from './identity.ts';
import { MockNotifications } from './notifications.ts';
import { MockOrders, type MockRefund, type RefundEnd } from './orders.ts';
import { OtherTrades } from './other-trades.ts';
import { type LoggedCall, serveApi } from './server.ts';

export interface MockOptions {
  /** 0 or undefined: a free port on loopback. */
  readonly port?: number;
  readonly identity?: MockIdentity;
  /** Default: `mixed`. */
  readonly keys?: KeyMode;
  /** Divides the waits between notifications (default 1). */
  readonly speed?: number;
  /** The clock stands still until `advance`. */
  readonly manual?: boolean;
  /** Share of deliveries with a signature probe before them, 0 to 1 (default 0). */
  readonly probeShare?: number;
  /** Refunds succeed after this time. undefined: `refundResult` ends them. */
  readonly refundAfterMs?: number;
  /** Time for a receiver to answer a notification (default 5 s, as at WeChat). */
  readonly notificationTimeoutMs?: number;
  /** The value of `config.notifyUrl`. */
  readonly notifyUrl?: string;
  /** The same seed draws the same keys and probes. */
  readonly seed?: number;
}

/** Simulates WeChat Pay v3 for one merchant, on loopback and in memory. It cannot move real money. */
export async function startMockWechatPay(options: MockOptions = {}): Promise<MockWechatPay> {
  const identity = options.identity ?? newIdentity();
  const keyMode = options.keys ?? 'mixed';
  const clock = options.manual ? manualClock(Date.now()) : realClock(options.speed ?? 1);
  const draw = seeded(options.seed ?? 1);
  const nextKey = (): KeyKind => (keyMode !== 'mixed' ? keyMode : draw() < 0.5 ? 'certificate' : 'public-key');
  const nextProbe = () => draw() < (options.probeShare ?? 0);
  const signer = createSigner(identity);
  const faults = new Faults();
  const orders = new MockOrders(identity, clock.now);
  const otherTrades = new OtherTrades();
  const timeoutMs = options.notificationTimeoutMs ?? 5000;
  const notifications = new MockNotifications({ clock, faults, signer, nextKey, nextProbe, timeoutMs });
  const requests: LoggedCall[] = [];

  async function refundResult(outRefundNo: string, status: RefundEnd): Promise<void> {
    const refund = orders.endRefund(outRefundNo, status);
    if (refund.notifyUrl === null) return;
    await notifications.send(`REFUND.${status}`, refund.notifyUrl, orders.refundRecord(refund, 'notification'));
  }

  function onRefund({ outRefundNo }: MockRefund): void {
    if (options.refundAfterMs === undefined) return;
    clock.after(options.refundAfterMs, async () => {
      if (orders.findRefund(outRefundNo).status === 'PROCESSING') await refundResult(outRefundNo, 'SUCCESS');
    });
  }

  const log = (call: LoggedCall) => void requests.push(call);
  const origin = () => url;
  const serving = {
    origin,
    identity,
    orders,
    otherTrades,
    signer,
    keyMode,
    now: clock.now,
    onRefund,
    faults,
    nextKey,
    log,
  };
  const server = createServer((request, response) => {
    const isApi = request.url?.startsWith('/v3/');
    const served = isApi ? serveApi(request, response, serving) : serveControl(request, response, mock);
    served.catch(() => response.headersSent || response.writeHead(500).end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kinds: KeyKind[] = keyMode === 'mixed' ? ['certificate', 'public-key'] : [keyMode];
  const { appId, mchId, apiV3Key, merchantSerial, merchantPrivateKeyPem } = identity;

  const mock: MockWechatPay = {
    url,
    config: {
      appId,
      mchId,
      apiV3Key,
      merchantSerial,
      merchantPrivateKeyPem,
      platformKeys: kinds.map((kind) => ({ id: identity.platform[kind].id, pem: identity.platform[kind].pem })),
      notifyUrl: options.notifyUrl ?? 'http://127.0.0.1/recharge/notify/wechatpay',
      baseUrl: url,
    },
    manual: options.manual === true,
    now: () => Math.floor(clock.now() / 1000),
    async pay(outTradeNo, how = {}) {
      const { notifyUrl } = orders.pay(outTradeNo, how);
      await notifications.send('TRANSACTION.SUCCESS', notifyUrl, orders.transaction(outTradeNo));
    },
    payElsewhere: (trade) => otherTrades.pay(trade, clock.now()),
    refundResult,
    async refundAtConsole(outTradeNo, refundFen, { status = 'SUCCESS', notify = true } = {}) {
      const { outRefundNo, refundId } = orders.refundAtConsole(outTradeNo, refundFen, notify);
      await refundResult(outRefundNo, status);
      return { outRefundNo, refundId };
    },
    setFault: (fault) => faults.add(fault),
    clearFaults: () => faults.clear(),
    holdNotifications: () => notifications.hold(),
    releaseNotifications: (order) => notifications.release(order),
    resendNotification: (id) => notifications.resend(id),
    advance: (milliseconds) => clock.advance(milliseconds),
    orders: () => orders.list(),
    refunds: () => orders.listRefunds(),
    notifications: () => notifications.list(),
    requests: () => [...requests],
    async stop() {
      clock.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return mock;
}

/** mulberry32: small, and the same on every machine. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
