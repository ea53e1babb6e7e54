import { query } from '../../shared/db.ts';
import { acceptMasterKey } from '../../shared/deployment.ts';
import { masterKeyIds } from '../../shared/master-key.ts';
import { logChange } from '../../shared/operator-log.ts';
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

async function whatResealReplaces(): Promise<string[]> {
  const { current, former } = masterKeyIds();
  return [`Key ${current} will seal every secret of this stage, in place of ${former.join(', ') || 'itself'}.`];
}

async function accept(given: Given): Promise<Printed> {
  const { current } = masterKeyIds();
  await acceptMasterKey(query);
  await logChange({ actor: given.actor, action: 'master-key.accept', subject: 'master-key', detail: { key: current } });
  return { json: { key: current }, text: [`Key ${current} is the master key of this database now.`] };
}

async function whatAcceptGivesUp(): Promise<string[]> {
  const { current } = masterKeyIds();
  return [
    `Key ${current} will be the master key of this database, whatever sealed its secrets.`,
    'What another key sealed stays unreadable, and AppIDs of another key are refused: only for a key that is lost.',
  ];
}

export const masterKey: Noun = {
  about: 'the key that seals secrets at rest',
  verbs: {
    reseal: {
      about: 'After a change of MASTER_KEY: seals all secrets with the new key. It may be interrupted and run again.',
      options: {},
      destructive: whatResealReplaces,
      run: reseal,
    },
    accept: {
      about: 'After the loss of the master key: records MASTER_KEY as the key of this database.',
      options: {},
      destructive: whatAcceptGivesUp,
      anyKey: true,
      run: accept,
    },
  },
};
