import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { newIdentity } from '../../local/simulators/wechatpay/identity.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { alarmsOf } from '../support/alarms.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let shop: Shop;
let shopper: Shopper;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let mock: MockWechatPay;
let second: MockWechatPay;
const wechatpay = { productId: 'coins-60', provider: 'wechatpay' };

beforeAll(async () => {
  folder = await temporaryFolder('merchants');
  shop = await openShop();
  const notifyUrl = `${shop.stack.url}/recharge/notify/wechatpay`;
  mock = await startMockWechatPay({ notifyUrl });
  second = await startMockWechatPay({ notifyUrl, identity: { ...newIdentity(), mchId: '1900000002' } });
  atEndOfFile(() => Promise.all([mock.stop(), second.stop(), folder.remove()]));
  shopper = await shop.shopper('openid-of-a-payer');
});
afterEach(() => mock.clearFaults());

const set = (config: object, ...options: string[]) => {
  const file = join(folder.path, 'config.json');
  writeFileSync(file, JSON.stringify(config));
  return portalHere(['merchant', 'set', '--provider', 'wechatpay', '--json-config', file, ...options, '--json']);
};
const listed = async (): Promise<Array<Record<string, unknown>>> => (await portalJson(['merchant', 'list'])).merchants;
const logged = async () =>
  (await portalJson(['operator-log', 'list', '--subject', 'wechatpay'])).entries as Array<{ action: string }>;
const check = (...options: string[]) =>
  portalHere(['merchant', 'check', '--provider', 'wechatpay', ...options, '--json']);

describe('portal merchant', () => {
  test('settings are sealed, listed without secrets, and each change is in the operator log', async () => {
    expect(await set(mock.config)).toMatchObject({ code: 0, json: { merchantId: '1900000001', isDefault: true } });
    expect(await listed()).toMatchObject([{ provider: 'wechatpay', usable: true, isDefault: true, apps: [] }]);
    const [rows] = await shop.stack.mysql.query('SELECT sealed_config FROM merchants');
    const list = await portalHere(['merchant', 'list']);
    for (const said of [list.stdout, JSON.stringify(rows), JSON.stringify(await logged())]) {
      expect(said).not.toContain(mock.config.apiV3Key);
    }
    expect((await logged()).map(({ action }) => action)).toEqual(['merchant.set']);
  });

  test('another default is refused while orders are open, by their number, and set with --force', async () => {
    await shopper.create(newKey(), wechatpay);
    await shopper.create(newKey(), wechatpay);
    const before = (await logged()).length;
    const refused = await set(second.config);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('2 open orders and 0 running refunds') });
    expect((await logged()).length).toBe(before);
    expect(await listed()).toHaveLength(1);
    const rotated = { ...mock.config, notifyUrl: 'https://api.example.com/recharge/notify/wechatpay' };
    expect(await set(rotated)).toMatchObject({ code: 0 });
    expect(await set(second.config, '--force')).toMatchObject({
      code: 0,
      json: { merchantId: '1900000002', former: { merchantId: '1900000001' } },
    });
    expect(await listed()).toMatchObject([
      { merchantId: '1900000001', isDefault: false, usable: true, openOrders: 2 },
      { merchantId: '1900000002', isDefault: true, openOrders: 0 },
    ]);
  });

  test('a further merchant leaves the default alone, and an app names it', async () => {
    const mismatch = await set(mock.config, '--merchant', '1900000009');
    expect(mismatch).toMatchObject({ code: 1, stderr: expect.stringContaining('merchant') });
    expect(await set(mock.config, '--merchant', '1900000001')).toMatchObject({ json: { isDefault: false } });
    const { appId } = shop.app;
    const name = ['app', 'merchant', '--app', appId, '--provider', 'wechatpay'];
    await portalJson([...name, '--merchant', '1900000001']);
    expect(await listed()).toMatchObject([{ apps: [appId] }, { isDefault: true, apps: [] }]);
    const shown = await portalJson(['app', 'show', '--app', appId]);
    expect(shown.merchants).toMatchObject([{ provider: 'wechatpay', merchantId: '1900000001', isOwn: true }]);
    const { orderNo } = (await shopper.create(newKey(), wechatpay)).body;
    expect(mock.orders().at(-1)?.outTradeNo).toBe(orderNo);
    await portalJson([...name, '--none']);
    expect((await portalJson(['app', 'show', '--app', appId])).merchants).toMatchObject([{ merchantId: '1900000002' }]);
    expect(await portalHere([...name, '--none', '--merchant', '1'])).toMatchObject({ code: 2 });
    expect(await portalHere([...name, '--merchant', '1'])).toMatchObject({ code: 1 });
  });

  test('all settings are sealed again under a new master key, also those of a former release', async () => {
    const former = process.env.MASTER_KEY ?? '';
    process.env.MASTER_KEY = randomBytes(32).toString('hex');
    process.env.MASTER_KEY_OLD = former;
    const report = await portalJson(['master-key', 'reseal']);
    expect(report).toMatchObject({ resealed: { 'merchants.sealed_config': 2 }, unreadable: [] });
    delete process.env.MASTER_KEY_OLD;
    expect(await listed()).toMatchObject([{ usable: true }, { usable: true }]);
  });

  test('remove is refused while a merchant has open orders, and needs --force then', async () => {
    const remove = (...options: string[]) => portalHere(['merchant', 'remove', '--provider', 'wechatpay', ...options]);
    const first = ['--merchant', '1900000001'];
    expect(await remove(...first)).toMatchObject({ code: 1, stderr: expect.stringContaining('3 open orders') });
    expect(await remove(...first, '--force')).toMatchObject({ code: 0 });
    expect(await remove()).toMatchObject({ code: 0 });
    expect(await remove()).toMatchObject({ code: 1, stderr: expect.stringContaining('No merchant is set') });
    expect(await listed()).toEqual([]);
  });
});

describe('portal merchant check', () => {
  test('says that signature and answer are accepted, and makes no order', async () => {
    await set(mock.config);
    const before = mock.orders().length;
    expect(await check()).toMatchObject({ code: 0, json: { works: true, merchantId: '1900000001' } });
    expect(mock.orders()).toHaveLength(before);
  });

  test('accepts the serial number of a certificate in lower case, as WeChat and the sweeper do', async () => {
    const platformKeys = mock.config.platformKeys.map(({ id, pem }) => ({
      id: id.startsWith('PUB_KEY_ID_') ? id : id.toLowerCase(),
      pem,
    }));
    await set({ ...mock.config, platformKeys, merchantSerial: mock.config.merchantSerial.toLowerCase() });
    for (let i = 0; i < 6; i++) expect(await check()).toMatchObject({ code: 0 });
  });

  test.each([
    ['another private key', { merchantPrivateKeyPem: newIdentity().merchantPrivateKeyPem }, 'merchantPrivateKeyPem'],
    ['another serial number', { merchantSerial: 'ABCDEF' }, 'merchantSerial'],
    ['platform keys of somebody else', { platformKeys: [newIdentity().platform['public-key']] }, 'platformKeys'],
    ['an address where nobody answers', { baseUrl: 'http://127.0.0.1:9' }, 'baseUrl'],
  ])('ends with 1 and names what to correct: %s', async (_, change, named) => {
    await set({ ...mock.config, ...change });
    const run = await check();
    expect(run).toMatchObject({ code: 1, json: { works: false } });
    expect(run.json.said).toContain(named);
    expect(run.json.said).not.toContain('BEGIN');
  });

  test('without a merchant of this name is refused', async () => {
    expect(await check('--merchant', '1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has no merchant'),
    });
  });
});

test('when no answer of WeChat Pay can be verified, the sweeper of the next minute raises an alarm', async () => {
  await set(mock.config);
  const { orderNo } = (await shopper.create(newKey(), wechatpay)).body;
  await set({ ...mock.config, platformKeys: [newIdentity().platform.certificate] });
  await shop.stack.mysql.query(
    'UPDATE recharge_orders SET next_check_at = NOW(3) - INTERVAL 1 SECOND WHERE order_no = ?',
    [orderNo],
  );
  const alarms = await alarmsOf(() => sweepRecharge({ stopAt: Date.now() + 30_000 }));
  expect(alarms).toMatchObject([{ code: 'wechatpay-untrusted' }]);
  expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('pending');
});
