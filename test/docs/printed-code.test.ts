import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import typings from 'miniprogram-api-typings/package.json' with { type: 'json' };
import { describe, expect, onTestFinished, test } from 'vitest';
import { createClient, fetchTransport } from '../../client/miniapp-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Pages that print programs which use the client. Each program compiles as it is printed, in both languages. */
const PAGES = [
  'README',
  'docs/first-steps',
  'docs/client',
  'docs/zh-CN/first-steps',
  'docs/zh-CN/client',
  'docs/identities',
  'docs/zh-CN/identities',
  'docs/uploads',
  'docs/zh-CN/uploads',
];
const pages = [...PAGES, 'README.zh-CN'].map((name) => `${name}.md`);

interface Program {
  name: string;
  code: string;
}

const programsOf = (page: string): Program[] =>
  [...readFileSync(page, 'utf8').matchAll(/^```ts ?(\S*)\n(.*?)^```/gms)]
    .map(([, name = '', code = ''], index) => ({ name: name || `printed-${index}.ts`, code }))
    .filter(({ code }) => code.includes('/client/miniapp-client'));

const isMiniProgram = ({ code }: Program): boolean => /\bwx\b|^Page\(/m.test(code);

/** A mini-program, a page and a server have different global names. */
const typesOf = (program: Program): string[] => {
  const { code } = program;
  if (isMiniProgram(program)) return ['--lib', 'ES2020', '--types', 'miniprogram-api-typings'];
  if (/process\b/.test(code)) return ['--lib', 'ES2022', '--types', 'node'];
  return ['--lib', 'ES2020,DOM', '--types', ''];
};

async function compiled(programs: Program[], program: Program): Promise<string> {
  const folder = await temporaryFolder('printed');
  onTestFinished(folder.remove);
  for (const name of ['client', 'node_modules']) symlinkSync(resolve(name), join(folder.path, name));
  for (const { name, code } of programs) writeFileSync(join(folder.path, name), code);
  const language = ['--strict', '--target', 'ES2022', '--module', 'esnext', '--moduleResolution', 'bundler'];
  const files = ['--noEmit', '--ignoreConfig', '--allowImportingTsExtensions', '--skipLibCheck', '--preserveSymlinks'];
  const tsc = resolve('node_modules/.bin/tsc');
  const argv = [...language, ...files, ...typesOf(program), program.name];
  return spawnSync(tsc, argv, { cwd: folder.path, encoding: 'utf8' }).stdout;
}

describe.each(pages)('%s', (page) => {
  const programs = programsOf(page);

  test.each(programs)('prints $name as it compiles', async (program) => {
    expect(await compiled(programs, program)).toBe('');
  });

  test('prints a program that uses the client', () => {
    expect(programs.length).toBeGreaterThan(0);
  });
});

test('the typings are those that WeChat publishes for its current base library', () => {
  expect(typings.version).toMatch(/^5\.2\./);
});

test('the packages of mini-programs that are printed hold no key', () => {
  const printed = pages.flatMap(programsOf).filter(isMiniProgram);
  expect(printed.filter(({ code }) => code.includes('privateKey'))).toEqual([]);
});

test('the page of the client names every call', () => {
  const page = readFileSync('docs/client.md', 'utf8');
  const client = createClient({ baseUrl: 'http://localhost', appId: 'a', transport: fetchTransport(fetch) });
  expect(Object.keys(client).filter((name) => !page.includes(`\`${name}(`))).toEqual([]);
});
