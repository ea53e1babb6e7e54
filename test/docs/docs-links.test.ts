import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const pages = (readdirSync('docs', { recursive: true }) as string[])
  .filter((name) => name.endsWith('.md'))
  .map((name) => join('docs', name));
const FENCED = /^```.*?^```/gms;

/** The anchors that GitHub makes for headings. */
const anchorsOf = (file: string): string[] =>
  [
    ...readFileSync(file, 'utf8')
      .replace(FENCED, '')
      .matchAll(/^#+ (.*)$/gm),
  ].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

const deadLinks = (file: string): string[] =>
  [
    ...readFileSync(file, 'utf8')
      .replace(FENCED, '')
      .matchAll(/\]\(([^)\s]+)\)/g),
  ]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path = '', anchor] = target.split('#');
      const linked = path === '' ? file : join(dirname(file), path);
      return !existsSync(linked) || (anchor !== undefined && !anchorsOf(linked).includes(anchor));
    });

const top = readdirSync('.').filter((name) => name.endsWith('.md'));

test.each([...top, ...pages])('every link of %s leads to a page and a heading that exist', (file) => {
  expect(deadLinks(file)).toEqual([]);
});

/** Pages that are listed by another page: the Chinese pages and the decisions. */
const LISTED_ELSEWHERE = /^docs\/(zh-CN\/|decisions\/\d)/;

test.each(['README.md', 'README.zh-CN.md'])('%s links to every page of the documents', (file) => {
  const text = readFileSync(file, 'utf8');
  const isNamed = (page: string): boolean => text.includes(`](${page})`);
  const named = pages.filter((page) => !LISTED_ELSEWHERE.test(page));
  // The Chinese README may name the Chinese version of a page instead.
  const missing = named.filter((page) => !isNamed(page) && !isNamed(page.replace('docs/', 'docs/zh-CN/')));
  expect(missing).toEqual([]);
});
