import { describe, expect, test } from 'vitest';
import { readTradeBill } from '../../shared/recharge/wechatpay/bill.ts';

const COLUMNS =
  '交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注';
const SUMMARY = '总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额';
const row = (...values: string[]): string => values.map((value) => `\`${value}`).join(',');

interface Options {
  time?: string;
  appId?: string;
  merchant?: string;
  state?: string;
  refundState?: string;
  /** What the merchant gets: the price less its own coupons. */
  settled?: string;
}

const line = (transaction: string, order: string, amount: string, { time, appId, merchant, ...rest }: Options = {}) => {
  const { state = 'SUCCESS', settled = amount } = rest;
  const start = [time ?? '2026-11-24 10:00:00', appId ?? 'wx1', merchant ?? '1900000001', '0', '', transaction, order];
  const payer = ['openid', 'JSAPI', state, 'OTHERS', 'CNY'];
  return row(
    ...start,
    ...payer,
    settled,
    '0.00',
    '0',
    '0',
    '0.00',
    '0.00',
    '',
    '',
    '60 coins',
    '',
    '0.00360',
    '0.60%',
    amount,
    '0.00',
    '',
  );
};
const refundLine = (id: string, refundNo: string, amount: string, { time, state, refundState }: Options = {}) =>
  row(
    ...[time ?? '2026-11-24 11:00:00', 'wx1', '1900000001', '0', '', '4200001', 'R1', 'openid', 'JSAPI'],
    ...[state ?? 'REFUND', 'OTHERS', 'CNY', '0.00', '0.00', id, refundNo, amount, '0.00', 'ORIGINAL'],
    ...[refundState ?? 'SUCCESS', '60 coins', '', '-0.00100', '0.60%', '0.00', amount, ''],
  );

const textOf = (lines: string[], summary: string[]): string =>
  [COLUMNS, ...lines, SUMMARY, row(...summary), ''].join('\r\n');
const read = (text: string | Uint8Array) =>
  readTradeBill(typeof text === 'string' ? Buffer.from(text) : text, { day: '2026-11-24', merchantId: '1900000001' });

const LINES = [line('4200001', 'R1', '6.00'), refundLine('5030001', 'F1', '1.50'), line('4200002', 'R2', '0.29')];
const GOOD = textOf(LINES, ['3', '6.29', '1.50', '0.00', '0.00620', '6.29', '1.50']);

describe("WeChat Pay's trade bill", () => {
  test('is read by the names of its columns, with exact amounts in fen', () => {
    expect(read(GOOD).lines).toEqual([
      { kind: 'payment', line: 2, appId: 'wx1', orderNo: 'R1', transactionId: '4200001', amountFen: 600 },
      {
        ...{ kind: 'refund', line: 3, appId: 'wx1', orderNo: 'R1', transactionId: '4200001' },
        ...{ refundNo: 'F1', refundId: '5030001', isPaid: true, amountFen: 150 },
      },
      { kind: 'payment', line: 4, appId: 'wx1', orderNo: 'R2', transactionId: '4200002', amountFen: 29 },
    ]);
    expect(read(`\uFEFF${GOOD}`)).toEqual(read(GOOD));
    expect(read(GOOD.replaceAll('\r\n', '\n'))).toEqual(read(GOOD));
  });

  test('has the price before coupons, which differs from what the merchant gets', () => {
    const text = textOf(
      [line('4200001', 'R1', '6.00', { settled: '5.00' })],
      ['1.0', '5.00', '0.00', '0.00', '0.00360', '6.00', '0.00'],
    );
    expect(read(text).lines).toMatchObject([{ amountFen: 600 }]);
  });

  test('counts failed refunds in its summary, although they moved no money', () => {
    const text = textOf(
      [refundLine('5030001', 'F1', '1.00', { refundState: 'FAIL' }), refundLine('5030002', 'F2', '1.00')],
      ['2', '0.00', '2.00', '0.00', '-0.00200', '0.00', '2.00'],
    );
    expect(read(text).lines).toMatchObject([{ refundNo: 'F2' }]);
  });

  test('may be empty', () => {
    expect(read(textOf([], ['0', '0.00', '0.00', '0.00', '0.00', '0.00', '0.00'])).lines).toEqual([]);
  });

  test('may have 65 000 lines', () => {
    const lines = Array.from({ length: 65_000 }, (_, i) => line(`42${i}`, `R${i}`, '0.01'));
    const sums = ['65000', '650.00', '0.00', '0.00', '234.00000', '650.00', '0.00'];
    expect(read(textOf(lines, sums)).lines).toHaveLength(65_000);
  });

  const changed = (from: string | RegExp, to: string): string => GOOD.replace(from, to);
  const [first = '', , third = ''] = LINES;
  test.each([
    ['another file', 'my-host\n', 'Line 1 is not the head of a trade bill'],
    ['an empty file', '', 'The file is empty'],
    ['a file in GBK', Buffer.from('bdbbd2d7cab1bce42c61', 'hex'), 'The file is in GBK: convert it'],
    ['a file in UTF-16', Buffer.from(`\uFEFF${GOOD}`, 'utf16le'), 'The file is in UTF-16: convert it'],
    ['a file in UTF-16 without its mark', Buffer.from(GOOD, 'utf16le'), 'The file is in UTF-16: convert it'],
    ['a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0xfe]), 'not a text in UTF-8'],
    ['a packed bill', Buffer.from([0x1f, 0x8b, 8, 0]), 'The file is compressed'],
    ['another type of bill', changed('商户退款单号', '退款申请时间'), 'the column 商户退款单号 is missing'],
    ['tabs', GOOD.replaceAll(',', '\t'), 'Line 1 has tabs, semicolons or quotation marks'],
    ['semicolons', GOOD.replaceAll(',', ';'), 'Line 1 has tabs, semicolons or quotation marks'],
    ['quotation marks', GOOD.replace(/^(.*)$/m, '"$1"'), 'Line 1 has tabs, semicolons or quotation marks'],
    ['lost backticks', GOOD.replaceAll('`', ''), 'Line 2 does not begin with a backtick'],
    ['a rounded number', changed('4200002', '4.2E+27'), 'Line 4 has the rounded number 4.2E+27'],
    ['an amount of another form', changed('`0.29,`0.00,`\r', '`0.291,`0.00,`\r'), 'Line 4 has "0.291" in place of'],
    ['an amount that is no number', changed('`6.00,`0.00,`\r', '`six,`0.00,`\r'), 'Line 2 has "six" in place of'],
    ['a time of another form', changed('2026-11-24 10', '2026/11/24 10'), 'Line 2 has no time such as'],
    ['a line without its end', changed(',`0.60%,`0.29,`0.00,`', ''), 'Line 4 has 23 values in place of 27'],
    ['an unknown state', changed('SUCCESS', 'WHAT'), 'Line 2 has the unknown state "WHAT"'],
    ['no number of the order', changed('`R2,', '`,'), 'Line 4 has no value in the column 商户订单号'],
    ['another currency', changed('CNY', 'USD'), 'Line 2 is in USD'],
    ['another day', changed('2026-11-24 11', '2026-11-23 11'), 'Line 3 is of 2026-11-23, not of 2026-11-24'],
    ['another merchant', changed('1900000001', '1900000002'), 'Line 2 is of merchant 1900000002, not of 1900000001'],
    ['a payment twice', changed(third, first.replace('R1', 'R2')), 'the lines add up to'],
    ['no summary', [COLUMNS, ...LINES, ''].join('\n'), 'The bill has no summary at its end'],
    ['a cut line', GOOD.slice(0, GOOD.indexOf('4200002') + 3), 'values in place of 27'],
    ['a missing line', changed(`${third}\r\n`, ''), 'The summary counts 3 lines, and 2 were read'],
    ['another sum of payments', changed('`6.29,`1.50\r', '`6.30,`1.50\r'), 'The summary says 6.30 in 订单总金额'],
    ['another sum of refunds', changed('`6.29,`1.50\r', '`6.29,`1.51\r'), 'The summary says 1.51 in 申请退款总金额'],
    ['another sum of fees', changed('0.00620', '0.02'), 'The summary says 0.02 in 手续费总金额'],
    ['two bills', GOOD + GOOD, 'Line 7 follows the summary'],
    ['no count', changed('`3,`6.29', '`,`6.29'), 'Line 6 has "" in place of a number of lines'],
    ['a count of another form', changed('`3,`6.29', '`３,`6.29'), 'Line 6 has "３" in place of a number of lines'],
    ['an empty sum', changed('`6.29,`1.50\r', '`,`1.50\r'), 'Line 6 has "" in place of an amount'],
    ['a full-width amount', changed('`0.29,`0.00,`\r', '`０.29,`0.00,`\r'), 'Line 4 has "０.29" in place of an amount'],
    ['a blank of another kind', changed('`0.29,`0.00,`\r', '`\u00a00.29,`0.00,`\r'), 'in place of an amount'],
    ['an apostrophe before a number', changed('`4200002', "`'4200002"), `Line 4 has "'4200002" in place of a number`],
    ['an apostrophe before an AppID', changed('`wx1', '`’wx1'), 'Line 2 has "’wx1" in place of a number'],
    ['a full-width number', changed('`R2,', '`Ｒ2,'), 'Line 4 has "Ｒ2" in place of a number in the column 商户订单号'],
    ['a blank in a number', changed('`F1', '`F1\u00a0'), 'in place of a number in the column 商户退款单号'],
    [
      'a blank before its merchant',
      changed('`1900000001', '`\u00a01900000001'),
      'Line 2 is of merchant \u00a01900000001',
    ],
    ['an unknown state of a refund', changed('`ORIGINAL,`SUCCESS', '`ORIGINAL,`FAIL\u00a0'), 'the unknown state "FAIL'],
    ['a part of a summary', changed(',订单总金额', ''), 'The summary has no column 订单总金额'],
  ])('is refused in one sentence when it has or is %s', (_, text, sentence) => {
    expect(() => read(text)).toThrow(sentence);
  });

  test('is refused when it has no lines and an empty count', () => {
    const text = textOf([], ['', '0.00', '0.00', '0.00', '0.00', '0.00', '0.00']);
    expect(() => read(text)).toThrow('Line 3 has "" in place of a number of lines');
  });

  test('is refused when a line is doubled, although its summary was changed with it', () => {
    const text = textOf([first, first], ['2', '12.00', '0.00', '0.00', '0.00720', '12.00', '0.00']);
    expect(() => read(text)).toThrow('Line 3 repeats line 2');
  });
});
