import { ordersOfUser, publicOrder } from '../../shared/recharge/order.ts';
import { appNames } from '../app-names.ts';
import { type Given, type Noun, optional, type Printed, required } from '../command.ts';
import { table } from '../table.ts';
import { adjustVerb } from './recharge-adjust.ts';
import { dayVerb } from './recharge-day.ts';
import { deliverVerb } from './recharge-deliver.ts';
import { exportVerb } from './recharge-export.ts';
import { grantVerb } from './recharge-grant.ts';
import { monthVerb } from './recharge-month.ts';
import { payVerb, sandboxKeyVerb } from './recharge-pay.ts';
import { reconcileVerb } from './recharge-reconcile.ts';
import { refundBookVerb, refundCancelVerb, refundRedoVerb, refundVerb } from './recharge-refund.ts';
import { approveVerb, rejectVerb, requestsVerb } from './recharge-request.ts';
import { settleVerb, unsettleVerb } from './recharge-settle.ts';
import { showVerb } from './recharge-show.ts';
import { syncVerb } from './recharge-sync.ts';

async function list(given: Given): Promise<Printed> {
  const limit = given.optional('limit') === undefined ? 20 : given.integer('limit', { min: 1, max: 500 });
  const found = await ordersOfUser(given.text('user'), limit);
  const orders = found.map((order) => ({ ...publicOrder(order), provider: order.provider, appId: order.appId }));
  const nameOf = await appNames();
  const rows = orders.map(({ orderNo, createdAt, status, productId, amountFen, provider, appId }) => [
    orderNo,
    given.display.time(createdAt),
    status,
    productId,
    given.display.money(amountFen),
    provider,
    nameOf(appId),
  ]);
  const head = ['order', 'at', 'status', 'product', 'amount', 'provider', 'app'];
  const none = 'This user has no orders: is it the userId? "user find --account NAME" prints the userId.';
  return { json: { orders }, text: rows.length === 0 ? [none] : table(head, rows) };
}

export const recharge: Noun = {
  about: 'orders, payments and refunds',
  verbs: {
    show: showVerb,
    list: {
      about: 'Lists the newest orders of a user, at every app.',
      options: { user: required('ID', 'the userId'), limit: optional('N', 'how many (default 20)') },
      destructive: false,
      run: list,
    },
    sync: syncVerb,
    deliver: deliverVerb,
    reconcile: reconcileVerb,
    'settle-difference': settleVerb,
    'unsettle-difference': unsettleVerb,
    export: exportVerb,
    day: dayVerb,
    month: monthVerb,
    refund: refundVerb,
    'refund-cancel': refundCancelVerb,
    'refund-redo': refundRedoVerb,
    'refund-book': refundBookVerb,
    adjust: adjustVerb,
    grant: grantVerb,
    requests: requestsVerb,
    approve: approveVerb,
    reject: rejectVerb,
    'sandbox-key': sandboxKeyVerb,
    pay: payVerb,
  },
};
