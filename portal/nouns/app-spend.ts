import { setClientSpend, showApp } from '../../shared/app/admin.ts';
import { CLIENT_SPENDS, type ClientSpend } from '../../shared/app/app.ts';
import { type Given, optional, type Printed, required, UsageError, type Verb } from '../command.ts';

/** `app client-spend`: what the users of an app may spend by themselves. */
export const CLIENT_SPEND_OPTION = optional(
  'HOW',
  `what users may spend by themselves: ${CLIENT_SPENDS.join(', ')} (default: items)`,
);

export function clientSpendForm(given: Given): ClientSpend | undefined {
  const text = given.optional('client-spend');
  if (text === undefined) return undefined;
  const found = CLIENT_SPENDS.find((one) => one === text);
  if (found === undefined) throw new UsageError(`--client-spend takes one of ${CLIENT_SPENDS.join(', ')}`);
  return found;
}

async function run(given: Given): Promise<Printed> {
  const appId = given.text('app');
  const clientSpend = clientSpendForm(given) as ClientSpend;
  await setClientSpend(appId, clientSpend, given.actor);
  return { json: { appId, clientSpend }, text: [`App ${appId}: users spend "${clientSpend}", valid within 60 s.`] };
}

async function whatEnds(given: Given): Promise<string[]> {
  const wanted = clientSpendForm(given);
  const { appId, name, clientSpend } = await showApp(given.text('app'));
  if (clientSpend === 'off' || wanted === 'free' || wanted === clientSpend) return [];
  const ended = wanted === 'off' ? 'all spends of the client' : 'spends of the client with its own amount';
  return [`App ${appId} (${name}): ${ended} will be refused within 60 s.`];
}

export const clientSpendVerb: Verb = {
  about: 'Sets what users of an app may spend by themselves: free amounts, priced items, or nothing.',
  options: {
    app: required('ID', 'the AppID'),
    'client-spend': required('HOW', `one of ${CLIENT_SPENDS.join(', ')}`),
  },
  destructive: whatEnds,
  run,
};
