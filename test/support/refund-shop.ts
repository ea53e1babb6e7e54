import type { RowDataPacket } from 'mysql2/promise';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { atEndOfFile } from './end-of-file.ts';
import { newKey, openShop, type Shop, type Shopper } from './recharge-fixture.ts';

/** A shop with WeChat Pay, for tests of refunds. */
export interface RefundShop {
  shop: Shop;
  mock: MockWechatPay;
  /** The payer, until `newPayer` changes it: a late notification of an earlier order moves no units of a new one. */
  readonly shopper: Shopper;
  newPayer(): Promise<void>;
  /** An order of 600 fen and 60 units that is paid. */
  paidOrder(): Promise<string>;
  status(orderNo: string): Promise<string>;
  refundRow(refundNo: string): Promise<RowDataPacket>;
  /** Kinds of the ledger entries of a refund, oldest first. */
  entriesOf(refundNo: string): Promise<string[]>;
  /** Lets the time pass after which no request for a refund is on its way, and runs the sweeper. */
  sweepLater(): Promise<void>;
  /** How often WeChat got this call. */
  calls(method: 'GET' | 'POST', part: string): number;
  findings(): Promise<unknown[]>;
}

export async function openRefundShop(options: Parameters<typeof openShop>[0] = {}): Promise<RefundShop> {
  const shop = await openShop(options);
  const { mysql } = shop.stack;
  const mock = await startMockWechatPay({ notifyUrl: `${shop.stack.url}/recharge/notify/wechatpay`, speed: 100 });
  atEndOfFile(() => mock.stop());
  await setMerchant('wechatpay', mock.config, { actor: 'tester' });
  let payers = 0;
  const newPayer = () => shop.shopper(`openid-of-payer-${++payers}`);
  let shopper = await newPayer();
  return {
    shop,
    mock,
    get shopper() {
      return shopper;
    },
    async newPayer() {
      shopper = await newPayer();
    },
    async paidOrder() {
      const body = { productId: 'coins-60', provider: 'wechatpay' };
      const { orderNo } = (await shopper.create(newKey(), body)).body;
      await mock.pay(orderNo);
      return orderNo;
    },
    status: async (orderNo) => (await shopper.get(`/recharge/${orderNo}`)).body.status,
    async refundRow(refundNo) {
      const [rows] = await mysql.query<RowDataPacket[]>('SELECT * FROM refunds WHERE refund_no = ?', [refundNo]);
      return rows[0] as RowDataPacket;
    },
    async entriesOf(refundNo) {
      const sql = "SELECT kind FROM ledger_entries WHERE kind LIKE 'refund%' AND ref = ? ORDER BY seq";
      const [rows] = await mysql.query<RowDataPacket[]>(sql, [refundNo]);
      return rows.map(({ kind }) => String(kind));
    },
    async sweepLater() {
      await mysql.query(
        `UPDATE refunds SET next_check_at = NOW(3) - INTERVAL 1 SECOND, sent_at = sent_at - INTERVAL 61 SECOND
          WHERE next_check_at IS NOT NULL`,
      );
      await sweepRecharge({ stopAt: Date.now() + 30_000 });
    },
    calls: (method, part) =>
      mock.requests().filter((call) => call.method === method && call.path.includes(part)).length,
    findings: async () => (await auditLedger()).findings,
  };
}
