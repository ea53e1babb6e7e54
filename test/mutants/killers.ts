import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandKiller, NotJudged, type TestKiller } from './mutant.ts';
import { run } from './workshop.ts';

/** The message of a killer that fails; null: it passes. */
export type Result = string | null | NotJudged;

interface Report {
  testResults: Array<{ message: string; assertionResults: Array<{ fullName: string; status: string }> }>;
}

const asPattern = (title: string): string => title.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
export const excerpt = (text: string): string => text.trim().replace(/\s+/g, ' ').slice(-500);

/**
 * Runs the tests of all killers at once. The result of a killer is NotJudged if it neither passes nor fails. Only the
 * named tests decide: a file that does not load judges nothing, and its other tests do not count.
 */
export async function runTests(killers: TestKiller[], copy: string): Promise<Result[]> {
  if (killers.length === 0) return [];
  const reportPath = join(copy, 'report.json');
  const { output } = await run(
    process.execPath,
    [
      join('node_modules', 'vitest', 'vitest.mjs'),
      'run',
      ...new Set(killers.map(({ file }) => file)),
      '--testNamePattern',
      killers.map(({ title }) => asPattern(title)).join('|'),
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportPath}`,
    ],
    copy,
  );
  const text = await readFile(reportPath, 'utf8').catch(() => null);
  await rm(reportPath, { force: true });
  if (text === null) return killers.map(({ file }) => new NotJudged(`${file} did not run: ${excerpt(output)}`));
  const tests = (JSON.parse(text) as Report).testResults.flatMap(({ assertionResults }) => assertionResults);
  return killers.map(({ file, title }) => {
    const meant = tests.filter(({ fullName, status }) => fullName.includes(title) && /^(passed|failed)$/.test(status));
    if (meant.length === 0) return new NotJudged(`no test "${title}" of ${file} ran: ${excerpt(output)}`);
    return meant.some(({ status }) => status === 'failed') ? output : null;
  });
}

export async function runCommand({ command }: CommandKiller, copy: string): Promise<Result> {
  const { code, output } = await run('sh', ['-c', command], copy);
  if (code === null) return new NotJudged(`${command} did not end: ${excerpt(output)}`);
  return code === 0 ? null : output;
}
