import { readGiven } from '../../portal/arguments.ts';
import { nouns } from '../../portal/nouns.ts';
import { brief, type Tape } from './tape.ts';

// biome-ignore lint/suspicious/noExplicitAny: each step says what it expects of the answer
export type Portal = (...argv: string[]) => Promise<any>;

/** The operator's commands, run in this process: what they print as JSON. Throws what they refuse. */
export function newPortal(tape: Tape): Portal {
  return async (...argv) => {
    const [nounName = '', verbName = ''] = argv;
    const noun = await nouns[nounName]?.();
    const verb = noun?.verbs[verbName] ?? noun?.verbs[''];
    if (!noun || !verb) throw new Error(`there is no portal command ${nounName} ${verbName}`);
    const printed = await verb.run(readGiven(argv, verb, noun.verbs[verbName] ? 2 : 1));
    tape.note(`portal ${argv.map(quoted).join(' ')}`, brief(printed.json));
    return printed.json;
  };
}

const quoted = (word: string): string => (/^[\w.,:/@-]+$/.test(word) ? word : `'${word}'`);
