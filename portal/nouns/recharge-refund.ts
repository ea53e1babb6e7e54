import type { RefundDetail } from '../../shared/recharge/money-movements.ts';
import { planRefund, type RefundPlan } from '../../shared/recharge/operator-refund.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { bookRefund, planBooking } from '../../shared/recharge/refund-book.ts';
import {
  cancelRefund,
  checkCancellable,
  checkClosable,
  closeRefundUnpaid,
  knownRefund,
  planRedo,
  redoRefund,
} from '../../shared/recharge/refund-cancel.ts';
import { flag, type Given, optional, type Printed, required, type Verb } from '../command.ts';
import { knownOrder } from './recharge-order.ts';
import { printRefund } from './recharge-refund-answer.ts';
import { storeRequest, WAITS, waitsForSecondPerson } from './recharge-second-person.ts';

const ORDER = required('NO', 'the orderNo');
const REFUND = required('NO', 'the refundNo');
const AMOUNT = { min: 1, max: 1_000_000_000 };
const TAKES_UNITS = 'Units leave the wallet first, also if it becomes negative.';

const planOf = (given: Given): Promise<RefundPlan> =>
  planRefund({
    orderNo: given.text('order'),
    amountFen: given.optional('amount-fen') === undefined ? undefined : given.integer('amount-fen', AMOUNT),
    key: given.optional('key'),
    again: given.flag('again'),
  });

async function whatRefundPays(given: Given): Promise<string[]> {
  const { order, amountFen, leftFen } = await planOf(given);
  const { money } = given.display;
  return [
    `Order ${order.orderNo} (${order.productId}, user ${order.userId}, ${order.provider}): ${money(amountFen)} of ${money(order.amountFen)} will be paid back.`,
    `Left to refund afterwards: ${money(leftFen - amountFen)}. Units leave the wallet first, also if it becomes negative.`,
    ...(waitsForSecondPerson({ kind: 'refund', amount: amountFen }) ? [WAITS] : []),
  ];
}

async function refund(given: Given): Promise<Printed> {
  const { order, amountFen, key } = await planOf(given);
  const { orderNo } = order;
  const reason = given.optional('reason');
  if (waitsForSecondPerson({ kind: 'refund', amount: amountFen })) {
    // A derived key counts the refunds that exist, so it is not kept: the request has a number of its own.
    const detail: RefundDetail = { orderNo, amountFen, reason, key: given.optional('key') };
    return storeRequest(given, { kind: 'refund', amount: amountFen, subject: orderNo, detail: { ...detail } });
  }
  return printRefund(given, await requestRefund({ orderNo, amountFen, key, reason, actor: given.actor }));
}

async function whatCancelStops(given: Given): Promise<string[]> {
  const found = await knownRefund(given.text('refund'));
  const { refundNo, amountFen, orderNo, units } = found;
  if (given.flag('unpaid')) {
    await checkClosable(found);
    return [
      `Refund ${refundNo} of ${given.display.money(amountFen)} (order ${orderNo}) will be closed, because you looked at the merchant platform and no money was paid back: ${units} units return to the wallet.`,
    ];
  }
  checkCancellable(found);
  return [
    `Refund ${refundNo} of ${given.display.money(amountFen)} (order ${orderNo}) will not be sent again. If the provider does not know it, ${units} units return to the wallet.`,
  ];
}

async function cancel(given: Given): Promise<Printed> {
  const end = given.flag('unpaid') ? closeRefundUnpaid : cancelRefund;
  return printRefund(given, await end(given.text('refund'), given.actor), { wanted: 'closed' });
}

async function whatRedoPays(given: Given): Promise<string[]> {
  const { orderNo, amountFen } = await planRedo(given.text('refund'));
  return [
    `Order ${orderNo}: ${given.display.money(amountFen)} will be paid back, as a new refund. ${TAKES_UNITS}`,
    ...(waitsForSecondPerson({ kind: 'refund', amount: amountFen }) ? [WAITS] : []),
  ];
}

async function redo(given: Given): Promise<Printed> {
  const plan = await planRedo(given.text('refund'));
  const { amountFen: amount, orderNo: subject } = plan;
  if (waitsForSecondPerson({ kind: 'refund', amount }))
    return storeRequest(given, { kind: 'refund', amount, subject, detail: { ...plan } });
  return printRefund(given, await redoRefund(given.text('refund'), given.actor));
}

const bookedOf = (given: Given) => ({
  orderNo: given.text('order'),
  refundId: given.text('refund-id'),
  amountFen: given.integer('amount-fen', AMOUNT),
});

async function whatBookTakes(given: Given): Promise<string[]> {
  const booked = bookedOf(given);
  const { userId } = await knownOrder(booked.orderNo);
  if ((await planBooking(booked)).known) return [];
  return [
    `Order ${booked.orderNo} (user ${userId}): units for ${given.display.money(booked.amountFen)} will be taken, because this money was paid back at the provider. No money is sent.`,
    ...(waitsForSecondPerson({ kind: 'refund-book', amount: booked.amountFen }) ? [WAITS] : []),
  ];
}

async function book(given: Given): Promise<Printed> {
  const booked = bookedOf(given);
  const { known, refundId } = await planBooking(booked);
  const { amountFen: amount, orderNo: subject } = booked;
  if (!known && waitsForSecondPerson({ kind: 'refund-book', amount }))
    return storeRequest(given, { kind: 'refund-book', amount, subject, detail: { ...booked, refundId } });
  return printRefund(given, await bookRefund(booked, { actor: given.actor }));
}

export const refundVerb: Verb = {
  about: 'Refunds an order, in full or in part. Units leave the wallet first, then the money is paid back.',
  options: {
    order: ORDER,
    'amount-fen': optional('N', 'how much (default: all that is left)'),
    reason: optional('TEXT', 'text for the payer'),
    key: optional('KEY', 'the same key never refunds twice'),
    again: flag('one more refund of the same amount within a day'),
  },
  destructive: whatRefundPays,
  run: refund,
};

export const refundCancelVerb: Verb = {
  about: 'Cancels a refund that the provider has not taken. Its units return to the wallet.',
  options: {
    refund: REFUND,
    unpaid: flag('you looked at the merchant platform: no money was paid back, and nobody can be asked'),
  },
  destructive: whatCancelStops,
  run: cancel,
};

export const refundRedoVerb: Verb = {
  about: 'Makes a closed refund again, under a new number. Typed twice, it makes one.',
  options: { refund: REFUND },
  destructive: whatRedoPays,
  run: redo,
};

export const refundBookVerb: Verb = {
  about: 'Records a refund that was made at the merchant platform. Takes the units, and sends no money.',
  options: {
    order: ORDER,
    'refund-id': required('ID', "the provider's number of the refund"),
    'amount-fen': required('N', 'how much was paid back there'),
  },
  destructive: whatBookTakes,
  run: book,
};
