import {
  findSettlement,
  planSettle,
  type SettledFinding,
  settleDifference,
  unsettleDifference,
} from '../../shared/recharge/books/settled.ts';
import { type Given, type Printed, required, type Verb } from '../command.ts';
import { differenceLine } from './recharge-difference.ts';
import { storeRequest, WAITS, waitsForSecondPerson } from './recharge-second-person.ts';

const DIFFERENCE = required('NAME', 'its name, as "recharge reconcile" and "recharge month" print it');

/** The larger of its two amounts counts for the limit. */
const amountOf = ({ billFen, ledgerFen }: { billFen: number | null; ledgerFen: number | null }): number =>
  Math.max(billFen ?? 0, ledgerFen ?? 0);

const namedBy = (given: Given) => ({ difference: given.text('difference'), reason: given.text('reason') });

async function whatSettles(given: Given): Promise<string[]> {
  const found = await planSettle(namedBy(given));
  if (found.settled) return [];
  return [
    differenceLine(found, given.display),
    `It will no longer count as open, and its day agrees without it. Nothing is moved.`,
    ...(waitsForSecondPerson({ kind: 'settle', amount: amountOf(found) }) ? [WAITS] : []),
  ];
}

async function settle(given: Given): Promise<Printed> {
  const { settled, billFen, ledgerFen } = await planSettle(namedBy(given));
  const wanted = { ...namedBy(given), billFen, ledgerFen };
  const amount = amountOf(wanted);
  if (!settled && waitsForSecondPerson({ kind: 'settle', amount }))
    return storeRequest(given, { kind: 'settle', amount, subject: wanted.difference, detail: wanted });
  return printSettled(given, await settleDifference(wanted, { actor: given.actor }));
}

/** The answer of `settle-difference`, and of the approval of one. */
export const printSettled = ({ display }: Pick<Given, 'display'>, { key, settled }: SettledFinding): Printed => ({
  json: { difference: key, ...settled },
  text: [`Difference ${key} is settled by ${settled.by} at ${display.time(settled.at)}: ${settled.reason}.`],
});

async function whatUnsettles(given: Given): Promise<string[]> {
  const { difference, reason, by, at } = await findSettlement(given.text('difference'));
  return [
    `Difference ${difference} was settled by ${by} at ${given.display.time(at)}: ${reason}. It will count as open again.`,
  ];
}

async function unsettle(given: Given): Promise<Printed> {
  const { difference } = await unsettleDifference(given.text('difference'), given.actor);
  return { json: { difference, settled: false }, text: [`Difference ${difference} counts as open again.`] };
}

export const settleVerb: Verb = {
  about: 'Settles a difference that no command removes, so that its month can be closed. Moves nothing.',
  options: {
    difference: DIFFERENCE,
    reason: required('TEXT', 'why it is in order; it is printed with the difference'),
  },
  destructive: whatSettles,
  run: settle,
};

export const unsettleVerb: Verb = {
  about: 'Ends the settlement of a difference: it counts as open again.',
  options: { difference: DIFFERENCE },
  destructive: whatUnsettles,
  run: unsettle,
};
