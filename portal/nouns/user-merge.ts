import { type Merge, mergeUsers, planMerge } from '../../shared/account/merge.ts';
import { flag, type Given, type Printed, required, UsageError, type Verb } from '../command.ts';
import { translated } from '../language.ts';
import { fields } from '../table.ts';

function pairOf(given: Given): { from: string; into: string } {
  const [from, into] = [given.text('from'), given.text('into')];
  if (from === into) throw new UsageError('--from and --into name the same user');
  return { from, into };
}

/** What happens to an account name, or a phone number. */
const FATES = { none: 'none', moves: 'moves', ends: 'ends: the other user keeps its own' };

function show({ identities, account, phone, records, overQuota, fields: apps, units = [] }: Merge): string[] {
  const moving = Object.entries(records).map(([resource, number]) => `${resource} ${number}`);
  return [
    ...fields({
      'identities that move': String(identities),
      'account name': translated(FATES[account]),
      'phone number': translated(FATES[phone]),
      'records that move': moving.join(', ') || translated('none'),
      'extra fields that move': apps.join(', ') || translated('none'),
      'units that move':
        units.map(({ appId, asset, units: number }) => `${appId} ${number} ${asset}`).join(', ') || translated('none'),
    }),
    ...(account === 'ends' ? ['For 30 days nobody can register the account name that ends.'] : []),
    ...(overQuota.length > 0 ? [`The user then has more records than the quota of: ${overQuota.join(', ')}.`] : []),
  ];
}

async function whatEnds(given: Given): Promise<string[]> {
  const merge = await planMerge(pairOf(given), { wallets: given.flag('wallets') });
  if (!merge) return [];
  return [
    `User ${merge.from} will end, with its sessions and its profile. User ${merge.into} gets what it has. This cannot be undone.`,
    ...show(merge),
  ];
}

async function merge(given: Given): Promise<Printed> {
  const merged = await mergeUsers(pairOf(given), { wallets: given.flag('wallets') }, given.actor);
  const text = [
    `User ${merged.from} was merged into user ${merged.into}. Its orders and ledger entries keep its userId.`,
    ...show(merged),
  ];
  return { json: { ...merged }, text };
}

export const mergeVerb: Verb = {
  about:
    'Merges two users that are one person. Without --wallets refused while one of them has units, an open order or a refund in progress.',
  options: {
    from: required('ID', 'the userId that ends'),
    into: required('ID', 'the userId that stays'),
    wallets: flag('also moves the units of wallets; holds and refunds in progress must end first'),
  },
  destructive: whatEnds,
  run: merge,
};
