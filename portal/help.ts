import { COMMON_OPTIONS } from './arguments.ts';
import type { Noun, Option, Verb } from './command.ts';
import { translated } from './language.ts';
import { nouns } from './nouns.ts';
import { table } from './table.ts';

const RUN = 'npm run -s portal --';

const WHERE = [
  'Works on the deployed stage of the environment (DATABASE_URL, UPSTASH_REDIS_REST_URL and the rest of .env.example),',
  'otherwise on the "npm run dev" of this checkout. Exit code: 0 done, 1 refused or failed, 2 wrong usage.',
];

export async function helpForAll(): Promise<string[]> {
  const lines = [`${RUN} <noun> <verb> [options]`, ''];
  for (const [name, load] of Object.entries(nouns)) {
    const noun = await load();
    const verbs = Object.keys(noun.verbs).filter(Boolean).join(', ');
    lines.push(`  ${name.padEnd(12)} ${translated(noun.about)}${verbs && `: ${verbs}`}`);
  }
  return [...lines, '', ...optionRows(COMMON_OPTIONS), '', ...WHERE];
}

export function helpForNoun(name: string, noun: Noun): string[] {
  const lines = Object.entries(noun.verbs).map(([verb, declared]) => [usage(name, verb, declared), declared.about]);
  return [
    `${name}: ${translated(noun.about)}`,
    '',
    ...lines.flatMap(([line = '', about = '']) => [`  ${line}`, `      ${translated(about)}`]),
  ];
}

export function helpForVerb(name: string, verbName: string, verb: Verb): string[] {
  const rows = optionRows(verb.options, true);
  return [
    `${RUN} ${usage(name, verbName, verb)}`,
    '',
    verb.about,
    '',
    ...(rows.length > 0 ? [...rows, ''] : []),
    ...optionRows(COMMON_OPTIONS),
  ];
}

function optionRows(options: Record<string, Option>, marks = false): string[] {
  const rows = Object.entries(options).map(([option, declared]) => [
    `  ${optionUsage(option, declared)}`,
    `${translated(declared.about)}${marks && !declared.required ? ` (${translated('optional')})` : ''}`,
  ]);
  return rows.length > 0 ? table(['', ''], rows).slice(1) : [];
}

function usage(name: string, verbName: string, verb: Verb): string {
  const options = Object.entries(verb.options).map(([option, declared]) =>
    declared.required ? optionUsage(option, declared) : `[${optionUsage(option, declared)}]`,
  );
  const operands = (verb.operands ?? []).map((operand) => `<${operand}>`);
  return [name, verbName, ...operands, ...options].filter(Boolean).join(' ');
}

const optionUsage = (name: string, { value, repeated }: Option): string =>
  [`--${name}`, value ?? [], repeated ? '...' : []].flat().join(' ');
