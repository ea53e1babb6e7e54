import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

/**
 * A Chinese page has the same content as its English page. A test cannot compare sentences. It compares what is the
 * same in every language: headings by level and order, code, and the codes, routes and commands in tables.
 */
const CHINESE_FOLDER = 'docs/zh-CN';
const pairs: Array<[english: string, chinese: string]> = [
  ['README.md', 'README.zh-CN.md'],
  ...readdirSync(CHINESE_FOLDER).map((name): [string, string] => [`docs/${name}`, `${CHINESE_FOLDER}/${name}`]),
];
/** Pages that a Chinese team needs from the first day. */
const NEEDED = ['first-steps', 'api', 'signing', 'login', 'recharge', 'operations', 'deploy', 'self-hosting'];

const FENCED = /^ *```.*?^ *```$/gms;
const textOf = (file: string): string => readFileSync(file, 'utf8');
const proseOf = (file: string): string => textOf(file).replace(FENCED, '');

const headingLevels = (file: string): number[] =>
  [...proseOf(file).matchAll(/^(#+) /gm)].map(([, marks = '']) => marks.length);

/** The READMEs translate the comments in code and the labels in diagrams. The rest must be the same. */
const withoutWords = (block: string): string =>
  /^ *```mermaid/.test(block)
    ? block.replace(/ as .*$/gm, '').replace(/:.*$/gm, '')
    : block.replace(/\s+(#|\/\/) .*$/gm, '');

const codeOf = (file: string): string[] => {
  const blocks = (textOf(file).match(FENCED) ?? []).map(String);
  return basename(file).startsWith('README') ? blocks.map(withoutWords) : blocks;
};

/** The inline code of each table row, in any order: a translated sentence may have another order. */
const tableCodeOf = (file: string): string[][] =>
  [...proseOf(file).matchAll(/^\|.*$/gm)].map(([row]) => (row.match(/`[^`]+`/g) ?? []).sort());

const linksOf = (file: string): string[] =>
  [...proseOf(file).matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, target = '']) =>
    normalize(join(dirname(file), target)),
  );

describe.each(pairs)('%s in Chinese', (english, chinese) => {
  test('has the same headings, by level and order', () => {
    expect(headingLevels(chinese).length).toBeGreaterThan(1);
    expect(headingLevels(chinese)).toEqual(headingLevels(english));
  });

  test('has the same code', () => {
    expect(codeOf(chinese)).toEqual(codeOf(english));
  });

  test('has the same codes, routes and commands in its tables', () => {
    expect(tableCodeOf(chinese)).toEqual(tableCodeOf(english));
  });

  test('is linked at the top of the English page, and links back', () => {
    const link = (from: string, to: string, name: string): string =>
      `\n\n[${name}](${relative(dirname(from), to)})\n\n`;
    expect(textOf(english)).toMatch(/^# .*\n/);
    expect(textOf(english).slice(0, 300)).toContain(link(english, chinese, '中文'));
    expect(textOf(chinese).slice(0, 300)).toContain(link(chinese, english, 'English'));
  });

  test('links to Chinese pages where they exist', () => {
    const [, ...links] = linksOf(chinese);
    const chineseOf = (page: string): string => page.replace(/^docs\//, `${CHINESE_FOLDER}/`);
    expect(links.filter((page) => /^docs\/[^/]+\.md$/.test(page) && existsSync(chineseOf(page)))).toEqual([]);
  });
});

test('the pages that a team needs from the first day exist in Chinese', () => {
  expect(pairs.map(([, chinese]) => chinese)).toEqual(
    expect.arrayContaining(NEEDED.map((name) => `${CHINESE_FOLDER}/${name}.md`)),
  );
});
