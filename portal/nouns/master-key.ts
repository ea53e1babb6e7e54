import { resealAll } from '../../shared/upkeep/reseal.ts';
import type { Given, Noun, Printed } from '../command.ts';
import { table } from '../table.ts';

async function reseal(given: Given): Promise<Printed> {
  const report = await resealAll(given.actor);
  const { resealed, unreadable, appIdsOfFormerKeys } = report;
  const rows = Object.entries(resealed).map(([name, count]) => [name, String(count)]);
  const text = [...table(['secrets', 'sealed anew'], rows), ...unreadable.map((name) => `unreadable: ${name}`)];
  if (unreadable.length > 0) text.push('Put the key they were sealed under into MASTER_KEY_OLD and run this again.');
  text.push(
    appIdsOfFormerKeys > 0
      ? `${appIdsOfFormerKeys} AppIDs were made under a former key: keep it in MASTER_KEY_OLD while they are in use.`
      : 'Nothing needs MASTER_KEY_OLD any more.',
  );
  return { json: { ...report }, text };
}

export const masterKey: Noun = {
  about: 'the key that seals secrets at rest',
  verbs: {
    reseal: {
      about: 'After MASTER_KEY was changed: seals all secrets anew. May be broken off and run again.',
      options: {},
      run: reseal,
    },
  },
};
