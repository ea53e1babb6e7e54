import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let appId: string;
let orderNo: string;
let userId: string;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  const created = await portalJson(['app', 'create', '--name', '小店']);
  appId = created.appId;
  const body = { account: 'demo', password: 'demo-password-1' };
  const { token, user } = (await stack.call(created, 'POST', '/login', { body })).body;
  userId = user.userId;
  const headers = { 'idempotency-key': randomBytes(16).toString('hex') };
  const product = { productId: 'coins-100', provider: 'sandbox' };
  const placed = await stack.call(created, 'POST', '/recharge', { session: token, headers, body: product });
  orderNo = placed.body.orderNo;
  await portalJson(['recharge', 'pay', '--order', orderNo]);
});

const show = (...more: string[]) => portalHere(['recharge', 'show', '--order', orderNo, ...more]);

test('by default amounts are in fen and times in UTC; options and variables give yuan and another zone', async () => {
  const { order } = await portalJson(['recharge', 'show', '--order', orderNo]);
  const { stdout } = await show();
  expect(stdout).toContain(`${order.amountFen} fen`);
  expect(stdout).toContain(order.createdAt);

  const chinese = (await show('--time', 'Asia/Shanghai', '--money', 'yuan', '--lang', 'zh')).stdout;
  expect(chinese).toMatch(/amountFen +\d+\.\d\d 元/);
  expect(chinese).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+08:00/);
  expect(chinese).not.toContain(order.createdAt);

  const variables = { PORTAL_TIME: 'Asia/Shanghai', PORTAL_MONEY: 'yuan', PORTAL_LANG: 'zh' };
  const byVariables = await portalHere(['recharge', 'show', '--order', orderNo], { ...process.env, ...variables });
  expect(byVariables.stdout).toBe(chinese);
});

test('JSON is the same in every language, zone and unit', async () => {
  const plain = (await show('--json')).json;
  expect((await show('--json', '--time', 'local', '--money', 'yuan', '--lang', 'zh')).json).toEqual(plain);
});

test('tables name the app beside its AppID', async () => {
  const listed = await portalHere(['recharge', 'list', '--user', userId, '--lang', 'zh', '--money', 'yuan']);
  expect(listed.stdout).toContain(`小店 (${appId})`);
  expect(listed.stdout).toMatch(/\d+\.\d\d 元/);
  expect((await show()).stdout).toContain(`小店 (${appId})`);
});

test('a name that is a word of the portal stays as it is in a sentence', async () => {
  const { appId: odd } = await portalJson(['app', 'create', '--name', 'on sale']);
  const asked = await portalHere(['app', 'disable', '--app', odd, '--lang', 'zh'], process.env, async () => 'n');
  expect(asked.stdout).toContain(`应用 ${odd}（`);
});
