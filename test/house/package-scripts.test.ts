import { describe, expect, test } from 'vitest';
import { textOf } from '../support/source-files.ts';

/**
 * npm runs scripts with `sh` on Linux and macOS, and with `cmd.exe` on Windows. A script must mean the same in both.
 */
const project = JSON.parse(textOf('package.json')) as { scripts: Record<string, string>; devDependencies: object };
const scripts = Object.entries(project.scripts);

/** The programs that node_modules/.bin holds on every system, and those that come with Node. */
const PROGRAMS = [
  'node',
  'npm',
  ...Object.keys(project.devDependencies).flatMap((name) => {
    const { bin } = JSON.parse(textOf(`node_modules/${name}/package.json`)) as { bin?: string | object };
    return typeof bin === 'string' ? [name] : Object.keys(bin ?? {});
  }),
];

/** What `cmd.exe` does not have, or reads in another way than `sh`. `&&` and `||` mean the same in both. */
const PROBLEMS: [problem: string, isIn: (script: string) => boolean][] = [
  ['a command that is no program of this project', (script) => !programsOf(script).every(isKnown)],
  ['a variable before a command', (script) => /(^|&&|\|\|)\s*\w+=/.test(script)],
  ['a variable in the style of a shell', (script) => /[$%`]/.test(script)],
  ['single quotes', (script) => script.includes("'")],
  ['a path of a program with slashes', (script) => programsOf(script).some((word) => word.includes('/'))],
  ['a list, a pipe, a redirection or a job', (script) => /[;<>^\n]|(?<!&)&(?!&)|(?<!\|)\|(?!\|)/.test(script)],
  ['a pattern for files', (script) => /[*?[\]{}~]/.test(script)],
];

const programsOf = (script: string): string[] =>
  script.split(/&&|\|\|/).map((part) => part.trim().split(/\s+/)[0] ?? '');
const isKnown = (program: string): boolean => PROGRAMS.includes(program);
const problemsOf = (script: string): string[] =>
  PROBLEMS.filter(([, isIn]) => isIn(script)).map(([problem]) => problem);

test.each(scripts)('the script %s needs nothing that the shell of Windows lacks', (_, script) => {
  expect(problemsOf(script)).toEqual([]);
});

test.each([
  'exec node a.ts',
  'LOG=off node a.ts',
  'node a.ts & wait',
  'node a.ts; node b.ts',
  "node -e 'run()'",
  'node $INIT_CWD/a.ts',
  'rm -rf dist && node a.ts',
  './build.mjs',
  'node a.ts > out',
  'biome check src/**/*.ts',
])('%s is refused', (script) => {
  expect(problemsOf(script)).not.toEqual([]);
});

describe('signals', () => {
  /** Programs that run until a signal, or that start engines. */
  const LONG = ['dev', 'offline', 'demo', 'gateway', 'serve', 'chaos', 'mock:wechatpay'];

  test.each(LONG)('npm run %s also ends when a signal ended only the shell of npm', (name) => {
    expect(project.scripts[name]).toMatch(
      /^node --import tsx --import \.\/serve\/lifecycle\/end-with-npm\.mjs \S+\.ts$/,
    );
  });
});
