import { resealAll } from '../../shared/upkeep/reseal.ts';
import type { Given, Noun, Printed } from '../command.ts';
import { table } from '../table.ts';

async function reseal(given: Given): Promise<Printed> {
  const report = await resealAll(given.actor);
  const { resealed, unreadable, appIdsOfFormerKeys } = report;
  const rows = Object.entries(resealed).map(([name, count]) => [name, String(count)]);
  const text = [...table(['secrets', 'sealed again'], rows), ...unreadable.map((name) => `unreadable: ${name}`)];
  if (unreadable.length > 0) text.push('Put the key that sealed them into MASTER_KEY_OLD, and run this command again.');
  text.push(
    appIdsOfFormerKeys > 0
      ? `${appIdsOfFormerKeys} AppIDs were made with a former key: keep it in MASTER_KEY_OLD while they are in use.`
      : 'MASTER_KEY_OLD is no longer needed.',
  );
  return { json: { ...report }, text };
}

export const masterKey: Noun = {
  about: 'the key that seals secrets at rest',
  verbs: {
    reseal: {
      about: 'After a change of MASTER_KEY: seals all secrets with the new key. It may be interrupted and run again.',
      options: {},
      run: reseal,
    },
  },
};
