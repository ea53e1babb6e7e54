import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { COMMON_OPTIONS } from '../arguments.ts';
import { type Given, type Noun, type Option, type Printed, UsageError } from '../command.ts';

const SHELLS = ['bash', 'zsh'] as const;
const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** What may follow the words so far, with the words as key: `''`, `app`, `app disable`. Values of options: `--lang`. */
type Completions = Map<string, string[]>;

async function completions(nouns: Nouns): Promise<Completions> {
  const found: Completions = new Map([['', Object.keys(nouns)]]);
  const addValues = (options: Record<string, Option>): void => {
    for (const [name, { values }] of Object.entries(options)) if (values) found.set(`--${name}`, [...values]);
  };
  const namesOf = (options: Record<string, Option>): string[] => Object.keys(options).map((name) => `--${name}`);
  addValues(COMMON_OPTIONS);
  for (const [nounName, load] of Object.entries(nouns)) {
    const { verbs } = await load();
    const names = Object.keys(verbs).filter(Boolean);
    if (names.length > 0) found.set(nounName, names);
    for (const [verbName, { options, words }] of Object.entries(verbs)) {
      addValues(options);
      const command = [nounName, verbName].filter(Boolean).join(' ');
      found.set(command, [...(words ?? []), ...namesOf(options), ...namesOf(COMMON_OPTIONS)]);
    }
  }
  return found;
}

async function print(nouns: Nouns, { operands: [shell = ''] }: Given): Promise<Printed> {
  const isKnown = (SHELLS as readonly string[]).includes(shell);
  if (!isKnown) throw new UsageError(`completion takes ${SHELLS.join(' or ')}, not "${shell}"`);
  const script = scriptFor(shell as (typeof SHELLS)[number], await completions(nouns));
  return { json: { shell, script: script.join('\n') }, text: script };
}

const BEGIN: Record<(typeof SHELLS)[number], string[]> = {
  bash: ['# In ~/.bashrc: eval "$(npm run -s portal -- completion bash)"'],
  zsh: [
    '# In ~/.zshrc: eval "$(npm run -s portal -- completion zsh)"',
    'autoload -Uz compinit bashcompinit && compinit -u && bashcompinit',
  ],
};

/** One function for both shells: zsh runs completion functions of bash. */
function scriptFor(shell: (typeof SHELLS)[number], found: Completions): string[] {
  const tool = `${checkout}build/tool.mjs`.replaceAll("'", `'\\''`);
  const cases = [...found].map(([words, next]) => `    '${words}') echo '${next.join(' ')}' ;;`);
  const script = readFileSync(new URL('../completion.sh', import.meta.url), 'utf8');
  const filled = script.replace('@TOOL@', () => tool).replace('@CASES@', () => cases.join('\n'));
  return [...BEGIN[shell], ...filled.trimEnd().split('\n')];
}

type Nouns = Record<string, () => Promise<Noun>>;

/** `nouns`: all of them, with this one. */
export const completionOf = (nouns: Nouns): Noun => ({
  about: 'completion of commands and options in a shell',
  verbs: {
    '': {
      about: 'Prints a script for bash or zsh. It also defines "portal", which runs in every folder.',
      operands: ['shell'],
      words: SHELLS,
      options: {},
      destructive: false,
      standalone: true,
      run: (given) => print(nouns, given),
    },
  },
});
