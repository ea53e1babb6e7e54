import { listChanges } from '../../shared/operator-log.ts';
import { type Given, type Noun, optional, type Printed } from '../command.ts';
import { table } from '../table.ts';

async function list(given: Given): Promise<Printed> {
  const limit = given.optional('limit') === undefined ? 50 : given.integer('limit', { min: 1, max: 1_000 });
  const entries = await listChanges({ subject: given.optional('subject'), limit });
  const rows = entries.map(({ at, actor, action, subject, detail }) => [
    given.display.time(at),
    actor,
    action,
    subject,
    Object.keys(detail).length > 0 ? JSON.stringify(detail) : '',
  ]);
  return { json: { entries }, text: table(['at', 'who', 'did', 'to', ''], rows) };
}

export const operatorLog: Noun = {
  about: 'who changed what',
  verbs: {
    list: {
      about: 'Lists the latest changes.',
      options: {
        subject: optional('X', 'an AppID, a lock target, an order number ...'),
        limit: optional('N', 'how many (default 50)'),
      },
      destructive: false,
      run: list,
    },
  },
};
