import { logChange } from '../../shared/operator-log.ts';
import { publicOrder } from '../../shared/recharge/order.ts';
import { syncOrder } from '../../shared/recharge/sync.ts';
import { type Given, type Printed, required, type Verb } from '../command.ts';
import { knownOrder } from './recharge-order.ts';

/** The provider decides what is credited, so the log has the question, and has it before anything can change. */
async function sync(given: Given): Promise<Printed> {
  const before = await knownOrder(given.text('order'));
  const { orderNo, status: was } = before;
  if (was === 'pending' || was === 'closed') {
    await logChange({ actor: given.actor, action: 'recharge.sync', subject: orderNo, detail: { before: was } });
  }
  const after = await syncOrder(before);
  const { status } = after;
  const text = was === status ? `${orderNo} is still ${status}.` : `${orderNo} was ${was}, now ${status}.`;
  return { json: { order: publicOrder(after) }, text: [text] };
}

export const syncVerb: Verb = {
  about: 'Asks the provider for the state of an order, and credits the order if it is paid.',
  options: { order: required('NO', 'the orderNo') },
  destructive: false,
  run: sync,
};
