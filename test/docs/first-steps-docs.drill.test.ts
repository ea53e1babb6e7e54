import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { allResources } from '../../shared/data/resources.ts';
import { portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: TestStack;
let page: string;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  page = await readFile('docs/first-steps.md', 'utf8');
});

/** Starts a program of the page as printed, with an app that is made as printed. `named`: another resource in its place. */
async function startPrinted(name: string, named?: [printed: string, other: string]): Promise<ChildProcess> {
  const folder = await temporaryFolder('first-calls');
  onTestFinished(() => rm(folder.path, { recursive: true, force: true }));
  await cp('client', join(folder.path, 'client'), { recursive: true });
  const [, create = ''] = /npm run -s portal -- (app create .*--public .*)/.exec(page) ?? [];
  const { appId } = await portalJson(create.split(' '));
  await writeFile(join(folder.path, 'package.json'), '{"type":"module"}');
  const program = page.split(`\`\`\`ts ${name}\n`)[1]?.split('```')[0] ?? '';
  await writeFile(join(folder.path, name), named ? program.replaceAll(...named) : program);
  const tsx = import.meta.resolve('tsx');
  const argv = ['--import', tsx, name, appId, stack.url];
  const child = spawn(process.execPath, argv, { cwd: folder.path, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill());
  return child;
}

test('the program of the first steps runs as printed: account, login, reads, a paid recharge, a spend', async () => {
  const child = await startPrinted('first-calls.ts');
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    lines.push(line);
    const [, orderNo] = /recharge pay --order (\w+)/.exec(line) ?? [];
    if (orderNo) await portalJson(['recharge', 'pay', '--order', orderNo]);
  }
  expect(await ended).toEqual([0, null]);
  const told = lines.join('\n');
  expect(told).toContain('logged in as');
  expect(told).toContain("paid { balance: 10, asset: 'coin' }");
  expect(told).toContain('{ balance: 7,');
});

test('the program that reads a list prints the newest records first, and all pages', async () => {
  const child = await startPrinted('first-list.ts', ["'article'", "'notice'"]);
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) lines.push(line);
  expect(await ended).toEqual([0, null]);
  const ids = lines.flatMap((line) => /^(\d+) ./.exec(line)?.[1] ?? []).map(Number);
  expect(ids).toEqual(Array.from({ length: 1_000 }, (_, index) => 1_000 - index));
});

test('the table of the first steps and of every resource has the columns and the index that the cache needs', async () => {
  // Under another name, because the reader may already have created the table of the page.
  const printed = /```sql\n(CREATE TABLE articles .*?)```/s.exec(page)?.[1] ?? '';
  await stack.mysql.query(printed.replaceAll('articles', 'printed_articles'));
  for (const table of ['printed_articles', ...allResources().map((resource) => resource.table)]) {
    const [columns] = await stack.mysql.query(`SHOW COLUMNS FROM ${table}`);
    const byName = new Map((columns as Array<{ Field: string; Extra: string }>).map((row) => [row.Field, row.Extra]));
    expect([...byName.keys()], table).toEqual(expect.arrayContaining(['id', 'version', 'deleted_at', 'updated_at']));
    expect(byName.get('updated_at'), table).toMatch(/on update/i);
    const [keys] = await stack.mysql.query(`SHOW INDEX FROM ${table}`);
    expect(keys, table).toContainEqual(expect.objectContaining({ Column_name: 'updated_at', Seq_in_index: 1 }));
  }
});
