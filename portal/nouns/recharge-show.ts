import { reasonOf } from '../../shared/recharge/refund-next.ts';
import { rechargeTimeline } from '../../shared/recharge/timeline.ts';
import { appNames } from '../app-names.ts';
import { type Display, type Given, optional, type Printed, type Verb } from '../command.ts';
import { translated } from '../language.ts';
import { fields, table } from '../table.ts';
import { givenOrder } from './recharge-order.ts';

async function show(given: Given): Promise<Printed> {
  const { orderNo } = await givenOrder(given);
  const timeline = await rechargeTimeline(orderNo);
  const { order, events, delivery, refunds, agrees } = timeline;
  const shown = { ...order, appId: (await appNames())(order.appId) };
  const text = [
    ...fields(
      Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, valueText(name, value, given.display)])),
    ),
    '',
    ...table(
      ['at', 'what', ''],
      events.map(({ at, what, detail }) => [
        given.display.time(at),
        translated(what),
        detailText(detail, given.display),
      ]),
    ),
    ...(delivery.state === 'none' ? [] : ['', translated(delivery.sentence)]),
    ...(delivery.command === null ? [] : [`Next: ${delivery.command}`]),
    ...refunds.flatMap(refundLines(given.display)),
    ...(agrees ? [] : ['', 'ORDER AND LEDGER DO NOT AGREE: run "recharge sync", then look again.']),
  ];
  return { json: { ...timeline }, text };
}

type ShownRefund = Awaited<ReturnType<typeof rechargeTimeline>>['refunds'][number];

/** What each refund is waiting for, and the command that can be run next. */
const refundLines =
  (display: Display) =>
  (refund: ShownRefund): string[] => {
    const { refundNo, amountFen, status, origin, providerRefundId, next } = refund;
    const why = reasonOf(refund);
    return [
      '',
      `Refund ${refundNo} of ${display.money(amountFen)}: ${status}.`,
      ...(origin === 'elsewhere' ? [`It was made at the provider, as ${providerRefundId ?? '-'}.`] : []),
      ...(why === undefined ? [] : [`Why it ended: ${translated(why)}.`]),
      translated(next.sentence),
      ...(next.command === null ? [] : [`Next: ${next.command}`]),
    ];
  };

const detailText = (detail: Record<string, string | number>, display: Display): string =>
  Object.entries(detail)
    .map(([name, value]) => `${name} ${valueText(name, value, display)}`)
    .join(', ');

/** Members keep their names, which are those of the JSON; the end of a name says what the value is. */
function valueText(name: string, value: string | number | null | undefined, display: Display): string {
  if (value === null || value === undefined) return '';
  if (name.endsWith('At')) return display.time(String(value));
  return name.endsWith('Fen') ? display.money(Number(value)) : String(value);
}

export const showVerb: Verb = {
  about: 'Shows all events of an order with its refunds, and whether order and ledger agree.',
  options: {
    order: optional('NO', 'the orderNo, or give --transaction'),
    transaction: optional('ID', "the provider's number of the payment, or give --order"),
  },
  destructive: false,
  run: show,
};
