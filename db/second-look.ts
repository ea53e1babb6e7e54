import { createInterface } from 'node:readline';

/** Where a command prints, and whether somebody can answer. */
export interface Terminal {
  out(line: string): void;
  err(line: string): void;
  /** undefined: standard input or standard output is not a terminal, so nobody would see or answer a question. */
  ask?: ((question: string) => Promise<string>) | undefined;
}

export function systemTerminal(): Terminal {
  const isInteractive = process.stdin.isTTY && process.stdout.isTTY;
  return {
    out: (line) => console.log(line),
    err: (line) => console.error(line),
    ask: isInteractive ? askOnTerminal : undefined,
  };
}

/** '' after Ctrl-C, or when the input has ended. */
function askOnTerminal(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  return new Promise((resolve) => {
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => resolve(''));
    lines.question(question, (answer) => {
      resolve(answer);
      lines.close();
    });
  });
}

const AGREES = /^\s*(y|yes|是|好)\s*$/i;

/**
 * Prints what a command that cannot be undone is about to do. On a terminal it then asks; `yes` skips the question.
 * Without a terminal the command acts: a script has nobody to ask. false: the operator did not agree.
 */
export async function secondLook(summary: readonly string[], yes: boolean, terminal: Terminal): Promise<boolean> {
  const isAsked = terminal.ask !== undefined && !yes;
  for (const line of summary) isAsked ? terminal.out(line) : terminal.err(line);
  return !isAsked || AGREES.test((await terminal.ask?.('Continue? (y/N) ')) ?? '');
}
