import { firstLook, readGiven } from './arguments.ts';
import { type Noun, UsageError, type Verb } from './command.ts';
import { findEngines } from './environment.ts';
import { helpForAll, helpForNoun, helpForVerb } from './help.ts';
import { nearest } from './nearest.ts';
import { nouns } from './nouns.ts';
import { sentenceFor } from './sentence.ts';

interface Terminal {
  out(line: string): void;
  err(line: string): void;
}

/** Runs one command line of the operator. Returns the exit code. */
export async function runPortal(argv: readonly string[], terminal: Terminal): Promise<number> {
  const print = (lines: readonly string[]): number => {
    for (const line of lines) terminal.out(line);
    return 0;
  };
  const refuse = (sentence: string, code: number): number => {
    terminal.err(sentence);
    if (json) terminal.out(JSON.stringify({ error: sentence.split('\n')[0] }));
    return code;
  };
  const { words, json, help } = firstLook(argv);
  const [nounName, verbName] = words;
  let helpCommand = 'npm run -s portal -- --help';
  try {
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
    const given = readGiven(argv, verb, name === '' ? 1 : 2);
    const engines = await findEngines(given.data);
    terminal.err(`on ${engines.where}`);
    const printed = await verb.run(given, engines);
    print(json ? [JSON.stringify(printed.json)] : printed.text);
    return printed.problemFound ? 1 : 0;
  } catch (error) {
    const isUsage = error instanceof UsageError;
    const sentence = isUsage ? `${sentenceFor(error)}\nHelp: ${helpCommand}` : sentenceFor(error);
    return refuse(sentence, isUsage ? 2 : 1);
  }
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
