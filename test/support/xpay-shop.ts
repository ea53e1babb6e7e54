import type { RowDataPacket } from 'mysql2/promise';
import type { WechatSimulator } from '../../local/simulators/wechat/index.ts';
import { openidOf } from '../../local/simulators/wechat/programs.ts';
import type { XpayRecord } from '../../local/simulators/wechat/xpay.ts';
import { deliverEvent } from '../../local/simulators/wechat/xpay-events.ts';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import type { XpayMerchant } from '../../shared/recharge/xpay/provider.ts';
import { newSender, pusher } from './push-sender.ts';
import { newKey, openShop, type Shop, type Shopper } from './recharge-fixture.ts';

/** A shop with virtual payment, whose mini-program is the default one of the deployment. */
export interface XpayShop {
  shop: Shop;
  wechat: WechatSimulator;
  readonly shopper: Shopper;
  newPayer(): Promise<void>;
  /** Without a payment. */
  placedOrder(): Promise<string>;
  /** Paid at WeChat, whose push is lost. */
  unknownPayment(options?: { apple?: boolean }): Promise<string>;
  /** Paid at WeChat and credited by its push. */
  paidOrder(options?: { apple?: boolean }): Promise<string>;
  record(number: string): XpayRecord;
  sender: ReturnType<typeof newSender>;
  push: ReturnType<typeof pusher>;
  pushPayment(orderNo: string): ReturnType<ReturnType<typeof pusher>>;
  row(orderNo: string): Promise<RowDataPacket>;
  run(sql: string, values?: unknown[]): Promise<unknown>;
  /** The time comes for all checks, and for what is on its way to have arrived. */
  sweepLater(): ReturnType<typeof sweepRecharge>;
  findings(): Promise<unknown[]>;
}

export async function openXpayShop(): Promise<XpayShop> {
  const shop = await openShop();
  const { mysql, wechat, env } = shop.stack;
  const sender = newSender(env.WECHAT_APPID);
  const appid = sender.wechatAppid;
  const merchant: XpayMerchant = {
    ...{ appId: appid, offerId: '1450001', env: 0, appKey: 'app-key-of-xpay' },
    ...{ pushToken: sender.token, encodingAesKey: sender.encodingAesKey },
  };
  await setMerchant('xpay', merchant, { actor: 'tester' });
  for (const environment of [0, 1]) wechat.xpay.setMerchant({ appid, env: environment, appKey: merchant.appKey });
  const push = pusher(shop.stack, sender);
  let people = 0;
  let codes = 0;
  let shopper = await shop.shopper();

  async function place() {
    const body = { productId: 'coins-60', provider: 'xpay', code: `dev-payer${people}-${++codes}` };
    return (await shopper.create(newKey(), body)).body;
  }
  const record = (number: string) => wechat.xpay.record(number) as XpayRecord;
  const world: XpayShop = {
    shop,
    wechat,
    get shopper() {
      return shopper;
    },
    async newPayer() {
      people++;
      shopper = await shop.shopper();
    },
    placedOrder: async () => (await place()).orderNo,
    async unknownPayment({ apple = false } = {}) {
      const { orderNo, payment } = await place();
      wechat.xpay.pay(payment, { appid, openid: openidOf(appid, `payer${people}`), apple });
      return orderNo;
    },
    async paidOrder(options) {
      const orderNo = await world.unknownPayment(options);
      await world.pushPayment(orderNo);
      return orderNo;
    },
    record,
    sender,
    push,
    pushPayment: (orderNo) => push(deliverEvent(record(orderNo), 'coins-60')),
    async row(orderNo) {
      const [rows] = await mysql.query<RowDataPacket[]>('SELECT * FROM recharge_orders WHERE order_no = ?', [orderNo]);
      return rows[0] as RowDataPacket;
    },
    run: (sql, values = []) => mysql.query(sql, values),
    async sweepLater() {
      for (const table of ['recharge_orders', 'refunds'])
        await mysql.query(`UPDATE ${table} SET next_check_at = NOW(3) WHERE next_check_at IS NOT NULL`);
      await mysql.query('UPDATE refunds SET sent_at = sent_at - INTERVAL 61 SECOND');
      await mysql.query('UPDATE recharge_orders SET delivery_check_at = NOW(3) WHERE delivery_check_at IS NOT NULL');
      return sweepRecharge({ stopAt: Date.now() + 30_000 });
    },
    findings: async () => (await auditLedger()).findings,
  };
  return world;
}
