import { beforeAll, describe, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { type IdentityWorld, type Member, startIdentityWorld } from '../support/identity-world.ts';
import { newKey } from '../support/recharge-fixture.ts';

/** A user with a password links WeChat, pays by WeChat Pay, and comes to a second mini-program. */
let world: IdentityWorld;
let mock: MockWechatPay;
beforeAll(async () => {
  world = await startIdentityWorld({ seeded: true });
  mock = await startMockWechatPay({ notifyUrl: `${world.stack.url}/recharge/notify/wechatpay`, speed: 100 });
  atEndOfFile(() => mock.stop());
  await setMerchant('wechatpay', mock.config, { actor: 'tester' });
});

const order = ({ app, session }: Member, provider = 'wechatpay') =>
  world.stack.call(app, 'POST', '/recharge', {
    session,
    headers: { 'idempotency-key': newKey() },
    body: { productId: 'coins-60', provider },
  });
const balance = async (member: Member) => (await world.call(member, 'GET', '/balance')).body.balance;

describe('a user with a password', () => {
  test('links WeChat, pays, and is the same user at the second mini-program, where the balance is that app’s own', async () => {
    const person = world.newPerson();
    const member = await world.passwordMember();
    expect(await order(member)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    const code = world.code(person);
    expect((await world.link(member, 'wechat', { code })).status).toBe(201);

    const placed = await order(member);
    expect(placed).toMatchObject({ status: 201, body: { status: 'pending' } });
    await mock.pay(placed.body.orderNo);
    expect(await balance(member)).toBe(60);

    const second = await world.wechatMember(person, world.other);
    expect(second.userId).toBe(member.userId);
    expect(await balance(second)).toBe(0);
    expect((await world.call(second, 'GET', `/recharge/${placed.body.orderNo}`)).status).toBe(404);
  });

  test('cannot pay to a merchant of another mini-program: WeChat does not know the openid there', async () => {
    const second = await world.wechatMember(world.newPerson(), world.other);
    const before = mock.requests().length;
    const refused = await order(second);
    expect(refused).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    expect(refused.body.errors).toEqual([
      { path: 'provider', message: 'belongs to another mini-program than this app' },
    ]);
    expect(mock.requests().length).toBe(before);
    expect((await order(second, 'sandbox')).status).toBe(201);
  });
});
