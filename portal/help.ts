import type { Noun, Option, Verb } from './command.ts';
import { nouns } from './nouns.ts';
import { table } from './table.ts';

const RUN = 'npm run -s portal --';

const COMMON = `  --json        one JSON line last, for scripts
  --data DIR    works on the running "npm run dev" that keeps its data in this folder
  --actor NAME  your name in the operator log (default: the login name)
  --help        the options of a command`;

const WHERE = `Works on the deployed stage of the environment (DATABASE_URL, UPSTASH_REDIS_REST_URL and the rest of
.env.example), otherwise on the "npm run dev" of this checkout. Exit code: 0 done, 1 refused or failed, 2 wrong usage.`;

export async function helpForAll(): Promise<string[]> {
  const lines = [`${RUN} <noun> <verb> [options]`, ''];
  for (const [name, load] of Object.entries(nouns)) {
    const noun = await load();
    const verbs = Object.keys(noun.verbs).filter(Boolean).join(', ');
    lines.push(`  ${name.padEnd(12)} ${noun.about}${verbs && `: ${verbs}`}`);
  }
  return [...lines, '', COMMON, '', WHERE];
}

export function helpForNoun(name: string, noun: Noun): string[] {
  const lines = Object.entries(noun.verbs).map(([verb, declared]) => [usage(name, verb, declared), declared.about]);
  return [`${name}: ${noun.about}`, '', ...lines.flatMap(([line = '', about = '']) => [`  ${line}`, `      ${about}`])];
}

export function helpForVerb(name: string, verbName: string, verb: Verb): string[] {
  const rows = Object.entries(verb.options).map(([option, declared]) => [
    `  ${optionUsage(option, declared)}`,
    `${declared.about}${declared.required ? '' : ' (optional)'}`,
  ]);
  return [
    `${RUN} ${usage(name, verbName, verb)}`,
    '',
    verb.about,
    '',
    ...(rows.length > 0 ? [...table(['', ''], rows).slice(1), ''] : []),
    COMMON,
  ];
}

function usage(name: string, verbName: string, verb: Verb): string {
  const options = Object.entries(verb.options).map(([option, declared]) =>
    declared.required ? optionUsage(option, declared) : `[${optionUsage(option, declared)}]`,
  );
  const operands = (verb.operands ?? []).map((operand) => `<${operand}>`);
  return [name, verbName, ...operands, ...options].filter(Boolean).join(' ');
}

const optionUsage = (name: string, { value }: Option): string => (value === null ? `--${name}` : `--${name} ${value}`);
