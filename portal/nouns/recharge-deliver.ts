import { AppError } from '../../shared/errors.ts';
import { deliveryNext } from '../../shared/recharge/delivery-next.ts';
import { renewDelivery } from '../../shared/recharge/delivery-record.ts';
import { type Given, type Printed, required, type Verb } from '../command.ts';
import { translated } from '../language.ts';
import { knownOrder } from './recharge-order.ts';

/** It only makes the report due: the sweeper, which has the mini-program's secret, sends it. */
async function deliver(given: Given): Promise<Printed> {
  const { orderNo } = await knownOrder(given.text('order'));
  await renewDelivery(orderNo, given.actor);
  const order = await knownOrder(orderNo);
  if (order.delivery !== 'due') {
    const why = `Order ${orderNo} of ${order.provider} is ${order.status}: there is nothing to report to WeChat.`;
    throw new AppError('INVALID_INPUT', why);
  }
  return {
    json: { orderNo, delivery: deliveryNext(order).state },
    text: [translated('The recharge sweeper reports it within a minute; look at "recharge show" then.')],
  };
}

export const deliverVerb: Verb = {
  about: 'Tells WeChat again that the units of an order were delivered, so that it pays out the money.',
  options: { order: required('NO', 'the orderNo') },
  destructive: false,
  run: deliver,
};
