import { createDecipheriv, createHash } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { refundQuestion } from '../../local/simulators/wechat/xpay-events.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { alarmsOf } from '../support/alarms.ts';
import { nowSeconds, pusher } from '../support/push-sender.ts';
import type { TestAnswer } from '../support/stack.ts';
import { openXpayShop, type XpayShop } from '../support/xpay-shop.ts';

let world: XpayShop;
beforeAll(async () => {
  world = await openXpayShop();
});
beforeEach(() => world.newPayer());
afterEach(async () => {
  world.shop.stack.faults.mysql = undefined;
  expect(await world.findings()).toEqual([]);
});

interface Reply {
  Encrypt: string;
  MsgSignature: string;
  TimeStamp: number;
  Nonce: string;
}

/** What WeChat reads in an encrypted answer. */
function opened({ Encrypt, MsgSignature, TimeStamp, Nonce }: Reply): string {
  const { token, encodingAesKey, wechatAppid } = world.sender;
  const signed = [token, String(TimeStamp), Nonce, Encrypt].sort().join('');
  expect(MsgSignature).toBe(createHash('sha1').update(signed).digest('hex'));
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(Encrypt, 'base64'), decipher.final()]);
  const content = padded.subarray(0, padded.length - (padded.at(-1) ?? 0));
  const end = 20 + content.readUInt32BE(16);
  expect(content.subarray(end).toString()).toBe(wechatAppid);
  return content.subarray(20, end).toString();
}
const ask = (orderNo: string, options = {}) => world.push(refundQuestion(orderNo, 'coins-60', nowSeconds()), options);
const adviceIn = ({ status, body }: TestAnswer) => ({ status, ...JSON.parse(opened(body)) });

describe("Apple's question about a refund", () => {
  test('is answered from the ledger: not delivered, delivered and unused, used', async () => {
    const orderNo = await world.unknownPayment({ apple: true });
    const undelivered = adviceIn(await ask(orderNo));
    expect(undelivered).toMatchObject({ status: 200, result_code: 0, result_info: '建议退款' });
    expect(undelivered.evidence).toContain('尚未发货');
    await world.pushPayment(orderNo);
    const unused = adviceIn(await ask(orderNo));
    expect([unused.result_code, unused.evidence]).toEqual([0, expect.stringContaining('均未使用')]);
    await world.run("UPDATE apps SET client_spend = 'free'");
    expect((await world.shopper.spend(35)).status).toBe(201);
    const used = adviceIn(await ask(orderNo));
    expect(used).toMatchObject({ result_code: 1, result_info: '拒绝退款' });
    expect(used.evidence).toContain(orderNo);
    expect(used.evidence).toContain('35 个已被用户使用');
  });

  test('changes nothing, asks no other server, and needs one statement', async () => {
    const orderNo = await world.paidOrder();
    await ask(orderNo);
    const { mysqlRequests: before } = await world.shop.stack.counters();
    const calls = world.wechat.calls('/xpay/query_order');
    for (let i = 0; i < 3; i++) expect(adviceIn(await ask(orderNo)).result_code).toBe(0);
    expect((await world.shop.stack.counters()).mysqlRequests - before).toBe(3);
    expect(world.wechat.calls('/xpay/query_order')).toBe(calls);
    expect([await world.shopper.balance(), (await world.row(orderNo)).status]).toEqual([60, 'paid']);
  });

  test('may name the payment by the number of WeChat Pay, and counts what was refunded before', async () => {
    const orderNo = await world.paidOrder();
    const { transaction_id: transactionId } = await world.row(orderNo);
    expect(adviceIn(await ask(transactionId)).evidence).toContain(orderNo);
    await requestRefund({ orderNo, amountFen: 200, key: 'a' });
    await world.run("UPDATE apps SET client_spend = 'free'");
    expect(adviceIn(await ask(orderNo)).result_code).toBe(0);
    await world.shopper.spend(1);
    expect(adviceIn(await ask(orderNo)).evidence).toContain('1 个已被用户使用');
  });

  test('about a number that is not known here gets no invented evidence, and a person an alarm', async () => {
    let answer: Record<string, unknown> = {};
    const alarms = await alarmsOf(async () => {
      answer = adviceIn(await ask('VPO1'));
    });
    expect(answer).toMatchObject({ result_code: 0, evidence: expect.stringContaining('无法说明是否发货') });
    expect(alarms).toMatchObject([{ code: 'refund-question-unknown' }]);
  });

  test('is not answered while MySQL is down: WeChat asks again', async () => {
    const orderNo = await world.paidOrder();
    world.shop.stack.faults.mysql = () => ({ kind: 'status', status: 500, body: '{}' });
    expect((await ask(orderNo)).status).toBe(503);
  });

  test('in XML, and at the former address, gets the same answer in the format of the push', async () => {
    const orderNo = await world.paidOrder();
    const { text } = await ask(orderNo, { format: 'xml' });
    const memberOf = (name: string) =>
      new RegExp(`<${name}>(?:<!\\[CDATA\\[)?(.*?)(?:\\]\\]>)?</${name}>`).exec(text)?.[1] ?? '';
    const reply = { Encrypt: memberOf('Encrypt'), MsgSignature: memberOf('MsgSignature') };
    const plain = opened({ ...reply, TimeStamp: Number(memberOf('TimeStamp')), Nonce: memberOf('Nonce') });
    expect(plain).toMatch(/^<xml><result_code>0<\/result_code>.*<evidence><!\[CDATA\[订单 R/);
    const former = pusher(world.shop.stack, world.sender, '/recharge/notify/xpay');
    const answer = await former(refundQuestion(orderNo, 'coins-60', nowSeconds()));
    expect(adviceIn(answer)).toMatchObject({ status: 200, result_code: 0 });
  });
});
