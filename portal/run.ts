import { secondLook, type Terminal } from '../db/second-look.ts';
import { query } from '../shared/db.ts';
import { proveDeployment } from '../shared/deployment.ts';
import { BillRefused } from '../shared/recharge/books/bill.ts';
import { firstLook, readGiven } from './arguments.ts';
import { type Noun, type Printed, UsageError, type Verb } from './command.ts';
import { findEngines } from './environment.ts';
import { helpForAll, helpForNoun, helpForVerb } from './help.ts';
import { LANGUAGES, translated, useLanguage } from './language.ts';
import { nearest } from './nearest.ts';
import { nouns } from './nouns.ts';
import { sentenceFor } from './sentence.ts';
import { visible, visibleJson } from './visible.ts';

/** Runs one command line of the operator. Returns the exit code. */
export async function runPortal(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { words, json, help, lang } = firstLook(argv);
  const print = (lines: readonly string[]): number => {
    for (const line of lines) terminal.out(visible(translated(line)));
    return 0;
  };
  const refuse = (sentence: string, code: number): number => {
    for (const line of sentence.split('\n')) terminal.err(visible(translated(line)));
    if (json) terminal.out(visibleJson({ error: sentence.split('\n')[0] }));
    return code;
  };
  const [nounName, verbName] = words;
  let helpCommand = 'npm run -s portal -- --help';
  try {
    await useLanguage(lang);
    if (!LANGUAGES.includes(lang)) throw new UsageError(`--lang takes one of ${LANGUAGES.join(', ')}, not "${lang}"`);
    if (nounName === undefined) {
      const lines = await helpForAll();
      return help ? print(lines) : refuse(lines.join('\n'), 2);
    }
    const noun = await nounNamed(nounName);
    helpCommand = `npm run -s portal -- ${nounName} --help`;
    if (help && (verbName === undefined || !noun.verbs[verbName])) return print(helpForNoun(nounName, noun));
    const { verb, name } = verbNamed(nounName, noun, verbName);
    if (help) return print(helpForVerb(nounName, name, verb));
    helpCommand = `npm run -s portal -- ${[nounName, name].filter(Boolean).join(' ')} --help`;
    const printed = await runVerb(verb, argv, name === '' ? 1 : 2, terminal);
    if (!printed) return refuse('Nothing was changed.', 1);
    if (json) terminal.out(visibleJson(printed.json));
    else print(printed.text);
    if (printed.nothingCompared) return 2;
    return printed.problemFound ? 1 : 0;
  } catch (error) {
    const isUsage = error instanceof UsageError;
    const sentence = isUsage ? `${sentenceFor(error)}\nHelp: ${helpCommand}` : sentenceFor(error);
    return refuse(sentence, isUsage || error instanceof BillRefused ? 2 : 1);
  }
}

/** `lead`: words for noun and verb. undefined: the operator was asked, and did not agree. */
async function runVerb(
  verb: Verb,
  argv: readonly string[],
  lead: number,
  terminal: Terminal,
): Promise<Printed | undefined> {
  const given = readGiven(argv, verb, lead);
  const engines = verb.standalone ? { where: '', url: undefined } : await findEngines(given.data);
  if (!verb.standalone) {
    terminal.err(visible(translated(`on ${engines.where}`)));
    await proveDeployment(query, { anyKey: verb.anyKey ?? false });
  }
  if (verb.destructive) {
    const summary = await verb.destructive(given, engines);
    // A line break in a stored text would look like a line of the portal.
    const shown = (line: string): string => visible(translated(line)).replaceAll('\n', '\\n');
    const translating: Terminal = {
      out: (line) => terminal.out(shown(line)),
      err: (line) => terminal.err(shown(line)),
      ask: terminal.ask && ((question) => terminal.ask?.(translated(question)) ?? Promise.resolve('')),
    };
    if (summary.length > 0 && !(await secondLook(summary, given.flag('yes'), translating))) return undefined;
  }
  return verb.run(given, engines, terminal.out);
}

async function nounNamed(name: string): Promise<Noun> {
  const load = Object.hasOwn(nouns, name) ? nouns[name] : undefined;
  if (load) return load();
  const meant = nearest(name, Object.keys(nouns));
  throw new UsageError(`there is no "${name}"${meant ? `; did you mean "${meant}"?` : ''}`);
}

function verbNamed(nounName: string, noun: Noun, name = ''): { verb: Verb; name: string } {
  const alone = noun.verbs[''];
  if (alone) return { verb: alone, name: '' };
  const verb = Object.hasOwn(noun.verbs, name) ? noun.verbs[name] : undefined;
  if (verb) return { verb, name };
  const verbs = Object.keys(noun.verbs);
  if (name === '') throw new UsageError(`${nounName} needs one of: ${verbs.join(', ')}`);
  const meant = nearest(name, verbs);
  throw new UsageError(
    `there is no "${nounName} ${name}"; ${meant ? `did you mean "${nounName} ${meant}"?` : `there is: ${verbs.join(', ')}`}`,
  );
}
