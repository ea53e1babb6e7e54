import { HOT_SAMPLE, readHotKeys } from '../../shared/cache/hot-keys.ts';
import { type Given, type Noun, optional, type Printed } from '../command.ts';
import { table } from '../table.ts';

async function show(given: Given): Promise<Printed> {
  const limit = given.optional('limit') === undefined ? 20 : given.integer('limit', { min: 1, max: 1_000 });
  const keys = await readHotKeys(limit);
  const rows = keys.map(({ name, readsPerMinute }) => [name, `about ${readsPerMinute}`]);
  const text = [
    ...table(['record or list', 'reads a minute'], rows),
    `Estimated: one of ${HOT_SAMPLE} reads is counted.`,
  ];
  return { json: { keys }, text };
}

export const hot: Noun = {
  about: 'records and lists that are read most (row A10)',
  verbs: {
    '': {
      about: 'Shows the records and lists that are read most.',
      options: { limit: optional('N', 'how many (default 20)') },
      destructive: false,
      run: show,
    },
  },
};
