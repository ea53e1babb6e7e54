import { existsPublicApp } from '../../shared/app/public-app.ts';
import { blockTarget, clearTarget, RULE_IDENTITIES, setRule } from '../../shared/lock/admin.ts';
import { addressIdentities } from '../../shared/lock/ip-identity.ts';
import { peekTarget, type RuleState } from '../../shared/lock/peek.ts';
import type { Identities } from '../../shared/lock/rule.ts';
import { listPolicies } from '../../shared/lock/stored-policy.ts';
import { appNames } from '../app-names.ts';
import { flag, type Given, type Noun, optional, type Printed, required, UsageError } from '../command.ts';
import { idForm, ipForm } from '../forms.ts';
import { translated } from '../language.ts';
import { declaredTarget, targetForm } from '../lock-targets.ts';
import { table } from '../table.ts';

const TARGET = required('T', 'data:<resource>, a route such as "POST /login", or "*" for every route');
const MAX_SECONDS = 30 * 86_400;
const LIMIT = { min: 0, max: 1_000_000_000 };
const IN_FORCE = 'It applies from the next call.';

async function ruleOf(given: Given) {
  const target = targetForm(given.text('target'));
  const by = given.list('by', RULE_IDENTITIES);
  if (by.join() === 'app' && !given.flag('anyone-can-name-it') && (await existsPublicApp())) {
    throw new UsageError(
      'a public app can be named by anybody, so a rule by app alone lets a stranger lock out all its users: count by app and ip, or by user, or give --anyone-can-name-it',
    );
  }
  const limit = given.integer('limit', LIMIT);
  const windowSeconds = given.integer('window', { min: 1, max: MAX_SECONDS });
  const lockSeconds = given.optional('lock') === undefined ? null : given.integer('lock', { min: 1, max: MAX_SECONDS });
  return { target, by, limit, windowSeconds, lockSeconds };
}

async function set(given: Given): Promise<Printed> {
  const rule = await ruleOf(given);
  const { target, by, limit, windowSeconds, lockSeconds } = rule;
  await setRule(rule, given.actor);
  const rest = lockSeconds === null ? 'until the window ends' : `for ${lockSeconds} s`;
  return {
    json: { target, by, limit, windowSeconds, lockSeconds },
    text: [`${target}: ${limit} calls in ${windowSeconds} s by ${by.join(' and ')}, then refused ${rest}. ${IN_FORCE}`],
  };
}

async function whatSetReplaces(given: Given): Promise<string[]> {
  const { target, ...rule } = await ruleOf(given);
  const by = RULE_IDENTITIES.filter((name) => rule.by.includes(name)).join(',');
  const former = (await listPolicies(target)).flatMap(({ rules }) => rules).find((rule) => rule.by.join(',') === by);
  const summary = [];
  if (former) {
    const { limit, windowSeconds, lockSeconds } = former;
    const rest = lockSeconds ? `${lockSeconds} s` : 'none';
    summary.push(
      `${target}: the rule by ${by} is replaced; it was ${limit} calls in ${windowSeconds} s, lock ${rest}.`,
    );
  }
  if (rule.limit === 0) summary.push(`${target}: a limit of 0 refuses every call.`);
  return summary;
}

/** A block of named identities is what was asked for. A name that was forgotten blocks everybody. */
const blockSeconds = (given: Given): number => given.integer('seconds', { min: 1, max: MAX_SECONDS });

async function whatBlockRefuses(given: Given): Promise<string[]> {
  const target = targetForm(given.text('target'));
  const seconds = blockSeconds(given);
  if (Object.keys(identitiesOf(given)).length > 0) return [];
  return [`${target} will be blocked for everybody for ${seconds} s. --app, --user or --ip name whom to block.`];
}

async function whatClearRemoves(given: Given): Promise<string[]> {
  const target = targetForm(given.text('target'));
  const policies = await listPolicies(target);
  const rules = policies.flatMap((policy) => policy.rules).length;
  const blocks = policies.flatMap((policy) => policy.blocks).length;
  return [
    `${target}: ${rules} rules and ${blocks} blocks of operators will be removed.`,
    'All its counts begin at zero, for everybody: callers that are locked now may call again.',
  ];
}

async function block(given: Given): Promise<Printed> {
  const target = targetForm(given.text('target'));
  const seconds = blockSeconds(given);
  const { app = '', user = '', ip = '' } = identitiesOf(given);
  await blockTarget({ target, seconds, app, user, ip }, given.actor);
  const who = Object.entries({ app, user, ip }).flatMap(([name, value]) => (value === '' ? [] : [`${name} ${value}`]));
  return {
    json: { target, seconds, app, user, ip },
    text: [`${target} is blocked for ${who.join(' and ') || 'everybody'} for ${seconds} s. ${IN_FORCE}`],
  };
}

async function clear(given: Given): Promise<Printed> {
  const target = targetForm(given.text('target'));
  await clearTarget(target, given.actor);
  return {
    json: { target, cleared: true },
    text: [`${target}: the operator's rules and blocks are removed, counts begin at zero; everywhere within 5 s.`],
  };
}

async function list({ display }: Given): Promise<Printed> {
  const policies = await listPolicies();
  const nameOf = await appNames();
  const rules = policies.flatMap(({ target, rules: of }) =>
    of.map((rule) => [
      target,
      rule.by.join(','),
      `${rule.limit}`,
      `${rule.windowSeconds} s`,
      lockText(rule.lockSeconds),
    ]),
  );
  const blocks = policies.flatMap(({ target, blocks: of }) =>
    of.map(({ app, user, ip, endsAt }) => [
      target,
      nameOf(app),
      user,
      ip,
      display.time(new Date(endsAt).toISOString()),
    ]),
  );
  const text = [
    translated('rules'),
    ...table(['target', 'by', 'limit', 'window', 'lock'], rules),
    '',
    translated('blocks'),
    ...table(['target', 'app', 'user', 'ip', 'until'], blocks),
  ];
  return { json: { policies: policies.map(readable) }, text };
}

const readable = ({ blocks, ...policy }: Awaited<ReturnType<typeof listPolicies>>[number]) => ({
  ...policy,
  blocks: blocks.map(({ endsAt, ...whom }) => ({ ...whom, endsAt: new Date(endsAt).toISOString() })),
});

const lockText = (seconds: number | null | undefined): string => (seconds ? `${seconds} s` : '');

async function peek(given: Given): Promise<Printed> {
  const target = targetForm(given.text('target'));
  const peeked = await peekTarget(await declaredTarget(target), identitiesOf(given));
  const { blockedForSeconds, rules } = peeked;
  const text = [
    ...(blockedForSeconds > 0 ? [`blocked by the operator for another ${blockedForSeconds} s`, ''] : []),
    ...table(['rule', 'set by', 'by', 'used', 'limit', 'window', 'state'], rules.map(rowOf)),
  ];
  return { json: { target, ...peeked }, text };
}

function rowOf(state: RuleState): string[] {
  const { rule, setBy, by, used, limit, windowSeconds, missing } = state;
  return [
    rule,
    setBy,
    by.join(','),
    missing.length > 0 ? '?' : `${used}`,
    `${limit}`,
    `${windowSeconds} s`,
    translated(stateText(state)),
  ];
}

function stateText({ missing, spared, locked, endsInSeconds }: RuleState): string {
  if (missing.length > 0) return `unknown without ${missing.map(optionOf).join(' ')}`;
  if (spared) return 'not counted';
  if (locked) return `locked for another ${endsInSeconds} s`;
  return endsInSeconds > 0 ? `open, window ends in ${endsInSeconds} s` : 'open';
}

/** The networks of an address come with it; an IPv4 address has none. */
const optionOf = (name: string): string => (name === 'net56' || name === 'net48' ? 'an IPv6 --ip' : `--${name}`);

function identitiesOf(given: Given): Identities {
  const [app, user, ip] = [given.optional('app'), given.optional('user'), given.optional('ip')];
  const [account, resource] = [given.optional('account'), given.optional('resource')];
  const [device, peer] = [given.optional('device'), given.optional('peer')];
  return {
    ...(app !== undefined && { app: idForm('app', app) }),
    ...(user !== undefined && { user: idForm('user', user) }),
    ...(ip !== undefined && addressIdentities(ipForm('ip', ip))),
    ...(account !== undefined && { account }),
    ...(resource !== undefined && { resource }),
    ...(device !== undefined && { device }),
    ...(peer !== undefined && { peer }),
  };
}

const IDENTITIES = {
  app: optional('ID', 'this AppID'),
  user: optional('ID', 'this user'),
  ip: optional('IP', 'this address; an IPv6 address means its /64 network'),
};

export const lock: Noun = {
  about: 'limits on calls, and blocks (rows E1 to E5)',
  verbs: {
    set: {
      about: 'Sets a rule for a target and a tuple of identities. Rules in the code stay in force.',
      options: {
        target: TARGET,
        by: required('app,user,ip', 'identities to count by; several form one tuple'),
        limit: required('N', 'calls in the window'),
        window: required('S', 'length of the window in seconds'),
        lock: optional('S', 'seconds of the lock after the limit (default: until the window ends)'),
        'anyone-can-name-it': flag('sets a rule by app alone although there are public apps'),
      },
      destructive: whatSetReplaces,
      run: set,
    },
    block: {
      about: 'Blocks the target for a time, for everybody or for the given identities.',
      options: { target: TARGET, seconds: required('S', 'how long'), ...IDENTITIES },
      destructive: whatBlockRefuses,
      run: block,
    },
    clear: {
      about: "Removes the operator's rules and blocks of a target. All its counts begin at zero.",
      options: { target: TARGET },
      destructive: whatClearRemoves,
      run: clear,
    },
    list: { about: "Lists the operator's rules and blocks.", options: {}, destructive: false, run: list },
    peek: {
      about: 'Shows the state of every rule of a target for an identity. It counts no call.',
      options: {
        target: TARGET,
        ...IDENTITIES,
        account: optional('NAME', 'for rules that count by account (lower case) or account address'),
        resource: optional('NAME:ID', 'for rules that count by record'),
        peer: optional('CHANNEL', 'for rules that count by channel'),
        device: optional('MARK', 'the device mark of the caller, for rules that spare known devices'),
      },
      destructive: false,
      run: peek,
    },
  },
};
