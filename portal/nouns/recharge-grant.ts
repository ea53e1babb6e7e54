import { grantByOperator, type OperatorGrant, planGrant } from '../../shared/recharge/operator-grant.ts';
import { flag, type Given, optional, type Printed, required, type Verb } from '../command.ts';
import { storeRequest, WAITS, waitsForSecondPerson } from './recharge-second-person.ts';

const wantedOf = (given: Given): OperatorGrant => ({
  appId: given.text('app'),
  userId: given.text('user'),
  amount: given.integer('amount', { min: 1, max: 1_000_000_000 }),
  reason: given.text('reason'),
  expiresAt: given.optional('expires-at'),
});

async function whatMoves(given: Given): Promise<string[]> {
  const wanted = wantedOf(given);
  const { balance } = await planGrant(wanted, { again: given.flag('again') });
  const { appId, userId, amount, expiresAt } = wanted;
  return [
    `The wallet of user ${userId} at app ${appId} has ${balance} units and will have ${balance + amount}.`,
    ...(expiresAt === undefined ? [] : [`What is left of the grant leaves the wallet at ${expiresAt}.`]),
    ...(waitsForSecondPerson({ kind: 'grant', amount }) ? [WAITS] : []),
  ];
}

async function run(given: Given): Promise<Printed> {
  const wanted = wantedOf(given);
  const { key } = await planGrant(wanted, { again: given.flag('again') });
  const { appId, userId, amount, expiresAt } = wanted;
  if (waitsForSecondPerson({ kind: 'grant', amount }))
    return storeRequest(given, { kind: 'grant', amount, subject: `${appId}/${userId}`, detail: { ...wanted } });
  const { ref, balance } = await grantByOperator(wanted, { key, actor: given.actor });
  return {
    json: { ref, appId, userId, amount, balance, ...(expiresAt !== undefined && { expiresAt }) },
    text: [`The wallet has ${balance} units now.`],
  };
}

export const grantVerb: Verb = {
  about: 'Gives units that nobody paid for, with an end or without one.',
  options: {
    app: required('ID', 'the AppID'),
    user: required('ID', 'the userId'),
    amount: required('N', 'units to give'),
    reason: required('TEXT', 'why; users see it in their entries'),
    'expires-at': optional('TIME', 'what is left then leaves the wallet: 2026-12-31T23:59:59+08:00'),
    again: flag('one more grant of the same amount within a day'),
  },
  destructive: whatMoves,
  run,
};
