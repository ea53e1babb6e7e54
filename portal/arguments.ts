import { hostname, userInfo } from 'node:os';
import { parseArgs } from 'node:util';
import { hasVisibleText } from '../shared/visible-text.ts';
import { flag, Given, type Option, optional, UsageError, type Verb } from './command.ts';
import { displayFor, MONEY } from './display.ts';
import { LANGUAGES } from './language.ts';
import { nearest } from './nearest.ts';

/**
 * Every command takes them. `time`, `money` and `lang` have a variable of the environment too: PORTAL_TIME and so on.
 */
export const COMMON_OPTIONS: Record<string, Option> = {
  json: flag('one JSON line last, for scripts'),
  yes: flag('asks no question on a terminal before something is ended, removed or replaced'),
  data: optional('DIR', 'works on the running "npm run dev" that keeps its data in this folder'),
  actor: optional('NAME', 'your name in the operator log (default: the login name)'),
  time: optional('ZONE', 'times as utc (default), local or in a zone such as Asia/Shanghai'),
  money: { ...optional('UNIT', 'amounts in fen (default) or yuan'), values: MONEY },
  lang: { ...optional('L', 'sentences and help in en (default) or zh'), values: LANGUAGES },
  help: flag('the options of a command'),
};

interface FirstLook {
  words: string[];
  json: boolean;
  help: boolean;
  /** As it is given: not checked. */
  lang: string;
}

const setting = (name: string): string | undefined => process.env[`PORTAL_${name.toUpperCase()}`] || undefined;

/** Reads the words that are not options, and the common flags. It needs no declaration of a command. */
export function firstLook(argv: readonly string[]): FirstLook {
  const { tokens } = parsed(argv, COMMON_OPTIONS);
  const lang = tokens.findLast((token) => token.kind === 'option' && token.name === 'lang');
  return {
    lang: (lang?.kind === 'option' ? lang.value : undefined) ?? setting('lang') ?? 'en',
    words: tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : [])),
    json: tokens.some((token) => token.kind === 'option' && token.name === 'json'),
    help: tokens.some((token) => token.kind === 'option' && token.name === 'help'),
  };
}

/** Reads the command line by the declaration of its verb. `lead`: words for noun and verb. Throws UsageError. */
export function readGiven(argv: readonly string[], verb: Verb, lead: number): Given {
  const known = { ...COMMON_OPTIONS, ...verb.options };
  const values = new Map<string, string[]>();
  const flags = new Set<string>();
  const words: string[] = [];
  for (const token of parsed(argv, known).tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const option = known[token.name];
    if (!option) throw unknownOption(token.rawName, Object.keys(known));
    const earlier = values.get(token.name) ?? [];
    if (earlier.length > 0 && !option.repeated) throw new UsageError(`--${token.name} is given twice`);
    if (option.value === null) {
      if (token.value !== undefined) throw new UsageError(`--${token.name} takes no value`);
      flags.add(token.name);
    } else {
      values.set(token.name, [...earlier, textOf(token, option.value)]);
    }
  }
  for (const [name, option] of Object.entries(verb.options)) {
    if (option.required && !values.has(name)) throw new UsageError(`--${name} ${option.value} is missing`);
  }
  const operands = words.slice(lead);
  checkOperands(operands, verb.operands ?? []);
  const given = (name: string): string | undefined => values.get(name)?.[0];
  const display = displayFor(given('time') ?? setting('time') ?? 'utc', given('money') ?? setting('money') ?? 'fen');
  const actor = given('actor') ?? whoami();
  if (!hasVisibleText(actor)) throw new UsageError('--actor needs a name with visible text');
  return new Given(actor, given('data'), operands, display, values, flags);
}

function parsed(argv: readonly string[], options: Record<string, Option>) {
  const declared = Object.entries(options).map(
    ([name, { value }]) => [name, { type: value === null ? 'boolean' : 'string' }] as const,
  );
  return parseArgs({
    args: withJoinedValues(argv),
    options: Object.fromEntries(declared),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
}

/** An id may begin with a dash. After an option, a word with one dash is the value of the option, not short options. */
function withJoinedValues(argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of argv) {
    const option = joined.at(-1);
    if (/^-[^-]/.test(word) && option !== undefined && /^--[a-z][a-z-]*$/.test(option))
      joined.splice(-1, 1, `${option}=${word}`);
    else joined.push(word);
  }
  return joined;
}

function unknownOption(rawName: string, known: readonly string[]): UsageError {
  const meant = nearest(rawName.replace(/^-+/, ''), known);
  return new UsageError(`there is no option ${rawName}${meant ? `; did you mean --${meant}?` : ''}`);
}

function textOf(
  token: { name: string; value?: string | undefined; inlineValue?: boolean | undefined },
  what: string,
): string {
  const isNextOption = !token.inlineValue && token.value?.startsWith('--');
  if (token.value === undefined || isNextOption)
    throw new UsageError(`--${token.name} needs a value: --${token.name} ${what}`);
  return token.value;
}

function checkOperands(given: readonly string[], declared: readonly string[]): void {
  const isOpenEnded = declared.at(-1)?.endsWith('...') ?? false;
  const missing = declared[given.length];
  if (missing) throw new UsageError(`<${missing}> is missing`);
  const extra = given[declared.length];
  if (extra !== undefined && !isOpenEnded) throw new UsageError(`"${extra}" is one word too many`);
}

function whoami(): string {
  let name: string;
  try {
    name = userInfo().username;
  } catch {
    // In some containers the user id has no name.
    name = `uid-${process.getuid?.() ?? 'unknown'}`;
  }
  return `${name}@${hostname()}`;
}
