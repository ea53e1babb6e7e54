import { AppError } from '../../shared/errors.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { flag, type Given, type Printed, required, type Verb } from '../command.ts';
import type { Engines } from '../environment.ts';
import { knownOrder } from './recharge-order.ts';

async function sandboxKey(): Promise<Printed> {
  const key = process.env.SANDBOX_KEY;
  if (!key) throw new AppError('NOT_FOUND', 'There is no sandbox here: SANDBOX_KEY is not set.');
  return { json: { key }, text: [JSON.stringify({ key })] };
}

async function pay(given: Given, { url }: Engines): Promise<Printed> {
  const { orderNo, provider } = await knownOrder(given.text('order'));
  if (provider !== 'sandbox')
    throw new AppError('INVALID_INPUT', `This order is paid at ${provider}, not at the sandbox.`);
  await sandboxKey();
  const notification = !given.flag('no-notice');
  const { notified } = await payAtSandbox(orderNo, { notification, actor: given.actor, ...(url && { url }) });
  const { status } = await knownOrder(orderNo);
  const rest = notified ? 'its notification was accepted' : 'no notification was sent: use "recharge sync"';
  return {
    json: { orderNo, notified, status },
    text: [`${orderNo} is paid at the sandbox, ${rest}. Status: ${status}.`],
  };
}

export const sandboxKeyVerb: Verb = {
  about: "Prints the key that signs the sandbox's notifications.",
  options: {},
  destructive: false,
  run: sandboxKey,
};

export const payVerb: Verb = {
  about: 'Pays an order at the sandbox and sends its notification.',
  options: {
    order: required('NO', 'the orderNo'),
    'no-notice': flag('sends no notification: only sync or the recharge sweeper finds the payment'),
  },
  destructive: false,
  run: pay,
};
