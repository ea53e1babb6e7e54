import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** Files for the next engineer. They are rarely read, so a test checks that they are up to date. */
const textOf = (file: string): string => readFileSync(file, 'utf8');
const jsonOf = (file: string) => JSON.parse(textOf(file));
const project = jsonOf('package.json') as { version: string; engines: { node: string }; scripts: object };

const FOLDER = 'docs/decisions';
const SECTIONS = ['Context', 'Decision', 'Rejected', 'Measured', 'Limits'];
const records = readdirSync(FOLDER).filter((name) => name !== 'README.md');
const numberOf = (name: string): number => Number(/^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1]);
const sectionsOf = (text: string): string[] => [...text.matchAll(/^## (.*)$/gm)].map(([, name = '']) => name);

describe('the decision records', () => {
  test('are numbered without a gap', () => {
    expect(records.map(numberOf)).toEqual(records.map((_, i) => i + 1));
    expect(records.length).toBeGreaterThanOrEqual(12);
  });

  test('are all listed in the index, in order, and nothing else is', () => {
    const rows = textOf(`${FOLDER}/README.md`).matchAll(/^\| \[(\d+)\. .+?\]\((.+?)\) \|/gm);
    expect([...rows].map(([, number, name]) => [Number(number), name])).toEqual(
      records.map((name) => [numberOf(name), name]),
    );
  });

  test.each(records)('%s has a number, a date, its sections in order, and at most 60 lines', (name) => {
    const text = textOf(`${FOLDER}/${name}`);
    const head = `^# ${numberOf(name)}\\. .+\n\n(Accepted|Replaced by record \\d+), 20\\d\\d-\\d\\d-\\d\\d\\.`;
    expect(text).toMatch(new RegExp(head));
    const sections = sectionsOf(text);
    expect(sections).toEqual(SECTIONS.filter((section) => sections.includes(section)));
    expect(sections).toEqual(expect.arrayContaining(['Context', 'Decision', 'Rejected']));
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(60);
  });

  test.each(records)('%s says what was rejected', (name) => {
    const [, rejected = ''] = textOf(`${FOLDER}/${name}`).split(/^## Rejected$/m);
    expect(rejected.split(/^## /m)[0]).toMatch(/^- \*\*\S.+\*\*/m);
  });
});

/** Paths in backticks. A name in capitals is a placeholder. */
const NAMED_FILE = /`((?:shared|functions|gateway|serve|local|portal|db|test|docs)\/[^`\s<*]*)`/g;

test.each([
  ...records.map((name) => `${FOLDER}/${name}`),
  'CONTRIBUTING.md',
  'SECURITY.md',
  '.github/pull_request_template.md',
])('%s names only files that exist', (page) => {
  const named = [...textOf(page).matchAll(NAMED_FILE)].map(([, file = '']) => file);
  expect(named.filter((file) => !/[A-Z]{4}/.test(file) && !existsSync(file))).toEqual([]);
});

describe('the CHANGELOG', () => {
  const headings = sectionsOf(textOf('CHANGELOG.md'));

  test('begins with the section "Unreleased"', () => {
    expect(headings[0]).toBe('Unreleased');
  });

  test('has the version of package.json and of the lock file as its newest release', () => {
    expect(headings[1]?.split(' ')[0]).toBe(project.version);
    expect(jsonOf('package-lock.json').packages[''].version).toBe(project.version);
  });

  test('names the day and the last commit of each release', () => {
    const releases = headings.slice(1);
    expect(
      releases.filter((heading) => !/^\d+\.\d+\.\d+ \(20\d\d-\d\d-\d\d, commit [0-9a-f]{12}\)$/.test(heading)),
    ).toEqual([]);
  });
});

describe('the commands', () => {
  const pages = [
    'CONTRIBUTING.md',
    'README.md',
    'README.zh-CN.md',
    ...readdirSync('docs')
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];
  const commandsIn = (text: string): string[] =>
    [...text.matchAll(/\bnpm (?:run (?:-s )?([\w:-]+)|(test)\b)/g)].map(([, run, test]) => run ?? test ?? '');
  const scripts = Object.keys(project.scripts);

  test('of package.json are each described in CONTRIBUTING.md or README.md', () => {
    const described = [...commandsIn(textOf('CONTRIBUTING.md')), ...commandsIn(textOf('README.md'))];
    expect(scripts.filter((name) => !described.includes(name))).toEqual([]);
  });

  test.each(pages)('that %s names exist in package.json', (page) => {
    expect(commandsIn(textOf(page)).filter((name) => !scripts.includes(name))).toEqual([]);
  });
});

describe('the settings for development tools', () => {
  test('.nvmrc names the lowest version of Node that package.json supports', () => {
    const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(project.engines.node) ?? [];
    expect(Number(minor)).toBeGreaterThan(0);
    expect(textOf('.nvmrc').trim()).toBe(major);
  });

  test('.editorconfig indents and breaks lines as Biome does', () => {
    const { indentStyle, indentWidth, lineWidth } = jsonOf('biome.json').formatter;
    const everywhere = textOf('.editorconfig')
      .split(/^\[\*\]$/m)[1]
      ?.split(/^\[/m)[0];
    expect(everywhere).toContain(`indent_style = ${indentStyle}\nindent_size = ${indentWidth}\n`);
    expect(everywhere).toContain(`max_line_length = ${lineWidth}\n`);
  });

  test('every debug configuration starts a file that exists', () => {
    const { configurations } = jsonOf('.vscode/launch.json') as { configurations: Array<{ program?: string }> };
    const programs = configurations.flatMap(({ program }) => program ?? []);
    expect(programs).toHaveLength(2);
    expect(programs.filter((program) => !existsSync(program.replace(/^\$\{workspaceFolder\}\//, '')))).toEqual([]);
  });

  test.each(['package-lock.json', 'bench/package-lock.json'])('%s contains no download address', (file) => {
    const { packages } = jsonOf(file) as { packages: Record<string, { resolved?: string }> };
    expect(Object.keys(packages).length).toBeGreaterThan(10);
    expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });
});
