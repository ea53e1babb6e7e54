import { findOrder } from '../../shared/recharge/order.ts';
import { whyUnreachable } from '../../shared/recharge/reach.ts';
import { nextOf, reasonOf } from '../../shared/recharge/refund-next.ts';
import type { Refund } from '../../shared/recharge/refund-record.ts';
import type { Given, Printed } from '../command.ts';
import { translated } from '../language.ts';

/**
 * The answer of a command that makes or ends a refund. A refund that ended otherwise than the operator wanted is a
 * problem: exit code 1, with the reason and the next command. `wanted: 'closed'`: of a command that cancels.
 */
export async function printRefund(
  { display }: Pick<Given, 'display'>,
  refund: Refund,
  { wanted = 'success' }: { wanted?: 'success' | 'closed' } = {},
): Promise<Printed> {
  const { refundNo, orderNo, amountFen, units, status, origin, refusal } = refund;
  const next = nextOf(refund, await whyUnreachable(await findOrder(orderNo)));
  const why = reasonOf(refund);
  const ended = status === 'closed' || status === 'cancelling';
  const returned = status === 'closed' ? `${units} units are back in the wallet` : `${units} units left the wallet`;
  return {
    json: { refundNo, orderNo, amountFen, units, status, origin, refusal, next: next.command },
    text: [
      `Refund ${refundNo} of ${display.money(amountFen)} is ${status}; ${translated(returned)}.`,
      ...(why === undefined ? [] : [`Why it ended: ${translated(why)}.`]),
      ...(status === 'success' ? [] : [translated(next.sentence)]),
      ...(next.command === null ? [] : [`Next: ${next.command}`]),
    ],
    problemFound: wanted === 'success' && ended,
  };
}
