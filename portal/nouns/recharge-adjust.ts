import { type Adjustment, adjust, planAdjust } from '../../shared/recharge/adjust.ts';
import { flag, type Given, type Printed, required, UsageError, type Verb } from '../command.ts';
import { storeRequest, WAITS, waitsForSecondPerson } from './recharge-second-person.ts';

const MOST = 1_000_000_000;

function wantedOf(given: Given): Adjustment {
  const text = given.text('amount');
  const amount = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : 0;
  if (amount === 0 || Math.abs(amount) > MOST)
    throw new UsageError(`--amount takes a whole number from -${MOST} to ${MOST} that is not 0, not "${text}"`);
  return {
    appId: given.text('app'),
    userId: given.text('user'),
    amount,
    reason: given.text('reason'),
    allowDebt: given.flag('allow-debt'),
  };
}

async function whatMoves(given: Given): Promise<string[]> {
  const wanted = wantedOf(given);
  const { balance } = await planAdjust(wanted, { again: given.flag('again') });
  const { appId, userId, amount } = wanted;
  return [
    `The wallet of user ${userId} at app ${appId} has ${balance} units and will have ${balance + amount}.`,
    ...(waitsForSecondPerson({ kind: 'adjust', amount }) ? [WAITS] : []),
  ];
}

async function run(given: Given): Promise<Printed> {
  const wanted = wantedOf(given);
  const { key } = await planAdjust(wanted, { again: given.flag('again') });
  const { appId, userId, amount } = wanted;
  if (waitsForSecondPerson({ kind: 'adjust', amount }))
    return storeRequest(given, { kind: 'adjust', amount, subject: `${appId}/${userId}`, detail: { ...wanted } });
  const { ref, balance } = await adjust(wanted, { key, actor: given.actor });
  return { json: { ref, appId, userId, amount, balance }, text: [`The wallet has ${balance} units now.`] };
}

export const adjustVerb: Verb = {
  about: 'Corrects a wallet by an entry of its own, up or down.',
  options: {
    app: required('ID', 'the AppID'),
    user: required('ID', 'the userId'),
    amount: required('N', 'units to add, or with a minus sign to take'),
    reason: required('TEXT', 'why; users see it in their entries'),
    'allow-debt': flag('the balance may become negative'),
    again: flag('one more adjustment of the same amount within a day'),
  },
  destructive: whatMoves,
  run,
};
