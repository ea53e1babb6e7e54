import { runPortal } from '../portal/run.ts';
import { brief, type Tape } from './tape.ts';

// biome-ignore lint/suspicious/noExplicitAny: each step says what it expects of the answer
export type Portal = (...argv: string[]) => Promise<any>;

/** Runs the operator's commands in this process. Returns their JSON. Throws Error if a command is refused. */
export function newPortal(tape: Tape): Portal {
  return async (...argv) => {
    const asked = `portal ${argv.map(quoted).join(' ')}`;
    const printed: string[] = [];
    const terminal = { out: (line: string) => void printed.push(line), err: () => {} };
    const code = await runPortal([...argv, '--json'], terminal);
    const answer = JSON.parse(printed.at(-1) ?? '{}');
    tape.note(asked, brief(answer));
    if (code !== 0) throw new Error(`${asked}: ${answer.error}`);
    return answer;
  };
}

const quoted = (word: string): string => (/^[\w.,:/@-]+$/.test(word) ? word : `'${word}'`);
