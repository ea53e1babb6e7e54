import { createHmac, randomBytes } from 'node:crypto';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';

/** Row C7 (recharge): parameters, order, payment, notification, ledger. `session` is that of the channel login. */
export async function recharges({ story, caller, portal, app, env, run }: Scene, session: string): Promise<void> {
  const { step } = story;
  const me = { session };
  const balance = async (): Promise<number> => answers(await caller.call(app, 'GET', '/balance', me), 200).balance;
  const idempotencyKey = () => `demo-${randomBytes(12).toString('hex')}`;
  const notify = (notification: object, options: { key?: string; remark?: string } = {}) => {
    const body = JSON.stringify(notification);
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', options.key ?? env.SANDBOX_KEY ?? '')
      .update(`${timestamp}\n${body}`)
      .digest('hex');
    const headers = { 'sandbox-timestamp': timestamp, 'sandbox-signature': signature };
    return caller.plain('POST', '/recharge/notify/sandbox', headers, body, options.remark);
  };

  const product = await step('C7', 'after the login: products and payment providers', async () => {
    answers(await caller.call(app, 'GET', '/recharge/params', { remark: 'not logged in' }), 401, 'LOGIN_REQUIRED');
    const { products, providers } = answers(await caller.call(app, 'GET', '/recharge/params', me), 200);
    must(products.length > 0 && providers.includes('sandbox'), 'there are products and the sandbox');
    return products[0] as { productId: string; amountFen: number; units: number };
  });

  const order = async (remark?: string, key = idempotencyKey()) => {
    const body = { productId: product.productId, provider: 'sandbox' };
    const options = { ...me, body, idempotencyKey: key, ...(remark && { remark }) };
    return answers(await caller.call(app, 'POST', '/recharge', options), 201);
  };
  const orderNo = await step('C7', 'a new order; the same key and body return the same order', async () => {
    const key = idempotencyKey();
    const made = await order(undefined, key);
    must((await order('same idempotency-key', key)).orderNo === made.orderNo, 'one order');
    return made.orderNo as string;
  });

  const { amountFen, units } = product;
  const notification = { orderNo, amountFen, currency: 'CNY', transactionId: `demo-${run}-1`, status: 'SUCCESS' };
  await step('C7', 'a notification with a wrong signature or another amount credits nothing', async () => {
    answers(
      await notify(notification, { key: 'guessed', remark: 'signed by somebody else' }),
      401,
      'BAD_NOTIFY_SIGNATURE',
    );
    answers(
      await notify({ ...notification, amountFen: amountFen + 1 }, { remark: 'one fen more' }),
      409,
      'NOTICE_MISMATCH',
    );
    must((await balance()) === 0, 'the balance is 0');
  });
  await step('C7', 'the provider’s notification credits the order; a duplicate credits nothing', async () => {
    must((await notify(notification)).status < 300, 'the notification is accepted');
    must(
      (await notify(notification, { remark: 'the same notification again' })).status < 300,
      'the duplicate is accepted',
    );
    must((await balance()) === units, `the balance is ${units}`);
    const { entries } = answers(await caller.call(app, 'GET', '/balance/entries', me), 200);
    must(entries.length === 1, 'one entry in the ledger');
    const paid = answers(await caller.call(app, 'GET', `/recharge/${orderNo}`, me), 200);
    must(paid.status === 'paid', 'the order is paid');
  });

  await step('C7', 'a payment without a notification: sync asks the provider and credits the order', async () => {
    const { orderNo: lost } = await order();
    await portal('recharge', 'pay', '--order', lost, '--no-notice');
    const synced = answers(await caller.call(app, 'POST', `/recharge/${lost}/sync`, me), 200);
    must(synced.status === 'paid' && (await balance()) === 2 * units, 'credited once');
  });

  const spend = (body: object, remark?: string) => {
    const options = { ...me, body, idempotencyKey: idempotencyKey(), ...(remark && { remark }) };
    return caller.call(app, 'POST', '/balance/spend', options);
  };
  await step('C7', 'users buy items at the price of the server, and never more than they can pay', async () => {
    const itemId = 'demo-hat';
    await portal('item', 'put', '--id', itemId, '--title', 'Demo hat', '--amount', String(units), '--yes');
    must(answers(await spend({ itemId }), 201).balance === units, 'half is left');
    answers(await spend({ itemId, quantity: 2 }, 'one hat too many'), 409, 'INSUFFICIENT_BALANCE');
    answers(await spend({ amount: 1 }, 'a price of the client'), 403, 'SCOPE_DENIED');
    must((await balance()) === units, 'the refused calls took nothing');
  });
}
