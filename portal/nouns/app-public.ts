import { NEW_SCOPES, showApp } from '../../shared/app/admin.ts';
import { SCOPES } from '../../shared/app/app.ts';
import {
  type AppKind,
  createPublicApp,
  DEFAULT_OPENINGS,
  endKeys,
  endPublicSide,
  isServerScope,
  kindOf,
  OPENINGS,
  openApp,
} from '../../shared/app/public-app.ts';
import { listPolicies } from '../../shared/lock/stored-policy.ts';
import { flag, type Given, optional, type Printed, required, UsageError, type Verb } from '../command.ts';
import { idForm, nameForm } from '../forms.ts';
import { translated } from '../language.ts';
import { fields } from '../table.ts';
import { clientSpendForm } from './app-spend.ts';

/** Commands for public apps: their packages hold no key, and their sessions sign. */

export const CREATE_OPTIONS = {
  public: flag('a public app: for a mini-program or web page, without a key'),
  open: optional('A,B', `with --public: what may be called before a login, of ${OPENINGS.join(',')} (default: wechat)`),
};

export async function createPublic(given: Given): Promise<Printed> {
  if (given.optional('methods') !== undefined) {
    throw new UsageError('--public takes no --methods: the sessions of a public app sign');
  }
  const scopes = given.optional('scopes') === undefined ? NEW_SCOPES : given.list('scopes', SCOPES);
  const refused = scopes.filter(isServerScope);
  if (refused.length > 0) throw new UsageError(`--public takes no scope of servers: ${refused.join(', ')}`);
  const open = given.optional('open') === undefined ? DEFAULT_OPENINGS : given.list('open', OPENINGS);
  const plugins =
    given
      .optional('plugins')
      ?.split(',')
      .map((id) => idForm('plugins', id)) ?? null;
  if (given.optional('for') !== undefined) throw new UsageError('--for goes with a server app, not with --public');
  const name = nameForm('name', given.text('name'));
  const clientSpend = clientSpendForm(given);
  const spends = clientSpend === undefined ? {} : { clientSpend };
  const issued = await createPublicApp({ name, open, scopes, plugins, ...spends }, given.actor);
  return {
    json: { ...issued },
    text: [
      ...fields({ AppID: issued.appId, 'open before a login': issued.open.join(', ') }),
      'It has no key: its package holds the AppID alone, which is no secret.',
      ...(await warningsOfRules()),
    ],
  };
}

/** What `app show` prints of the kind of an app. */
export function kindText(kind: AppKind): string {
  if (kind !== 'both') return kind;
  return translated('both; end v1 and v2 with "app public --only" when the log shows no more calls of them');
}

/** Anybody can name a public app, so calls of strangers count for a rule by app alone. */
async function warningsOfRules(): Promise<string[]> {
  const policies = await listPolicies();
  const targets = policies
    .filter(({ rules }) => rules.some(({ by }) => by.join() === 'app'))
    .map(({ target }) => target);
  return targets.map(
    (target) =>
      `${target}: the rule of operators by app alone can lock out all users of this app; add ip or user to it.`,
  );
}

/** Throws UsageError for options that contradict each other. */
function openingsGiven(given: Given) {
  const open = given.optional('open') === undefined ? undefined : given.list('open', OPENINGS);
  if (given.flag('only') && given.flag('off')) throw new UsageError('give --only or --off, not both');
  if (open && (given.flag('only') || given.flag('off')))
    throw new UsageError('--open goes with neither --only nor --off');
  return open;
}

async function change(given: Given): Promise<Printed> {
  const appId = given.text('app');
  const open = openingsGiven(given);
  if (given.flag('only')) {
    const text = [
      `${appId} is public only: v1 and v2 are refused, by calls that change something at once, by all within 60 s.`,
    ];
    return { json: { ...(await endKeys(appId, given.actor)) }, text };
  }
  if (given.flag('off')) {
    const text = [
      `${appId} is not public any more: named calls and signed sessions are refused, those that change something at once, all within 60 s.`,
    ];
    return { json: { ...(await endPublicSide(appId, given.actor)) }, text };
  }
  const side = await openApp(appId, open, given.actor);
  const text = [
    ...fields({
      AppID: appId,
      kind: kindText(kindOf(side.methods)),
      'open before a login': side.open.join(', ') || translated('none'),
    }),
    'What is opened may be called within 5 s; what is shut is refused within 60 s.',
    ...(await warningsOfRules()),
  ];
  return { json: { ...side }, text };
}

async function whatPublicEnds(given: Given): Promise<string[]> {
  const open = openingsGiven(given);
  const { appId, name, methods, scopes, keys } = await showApp(given.text('app'));
  if (given.flag('only')) {
    const live = keys.filter(({ state }) => state === 'live').map(({ keyId }) => keyId);
    if (live.length === 0) return [];
    return [
      `App ${appId} (${name}): its keys ${live.join(', ')} will be revoked; clients that sign with them are refused.`,
    ];
  }
  if (given.flag('off')) {
    if (kindOf(methods) === 'server') return [];
    return [`App ${appId} (${name}): its named calls and all its signed sessions will be refused.`];
  }
  const shut = OPENINGS.filter((one) => open && scopes.includes(`open:${one}`) && !open.includes(one));
  return shut.length === 0 ? [] : [`App ${appId} (${name}): before a login these will be refused: ${shut.join(', ')}.`];
}

export const publicVerb: Verb = {
  about: 'Makes an app public, changes what may be called before a login, or ends one of its two sides.',
  options: {
    app: required('ID', 'the AppID'),
    open: optional('A,B', `what may be called before a login, of ${OPENINGS.join(',')} (default: as it is, or wechat)`),
    only: flag('ends v1 and v2: revokes all keys'),
    off: flag('ends named calls and signed sessions'),
  },
  destructive: whatPublicEnds,
  run: change,
};
