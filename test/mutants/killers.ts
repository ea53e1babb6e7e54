import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Lane, laneIn } from '../support/lanes.ts';
import { type CommandKiller, NotJudged, type TestKiller } from './mutant.ts';
import { run } from './workshop.ts';

/** The message of a killer that fails; null: it passes. */
export type Result = string | null | NotJudged;

/** Killers that run in one copy of the project. */
interface CopyRun {
  copy: string;
  killers: readonly TestKiller[];
}

interface Report {
  testResults: Array<{
    name: string;
    message: string;
    assertionResults: Array<{ fullName: string; status: string; failureMessages: string[] }>;
  }>;
}

const asPattern = (title: string): string => title.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
export const excerpt = (text: string): string => text.trim().replace(/\s+/g, ' ').slice(-500);

/** What vitest.config.ts gives the lanes, for a lane of a copy. */
const SETUP: Partial<Record<Lane, string[]>> = {
  engines: ['test/support/bundles-setup.ts', 'test/support/engines-setup.ts'],
  drills: ['test/support/bundles-setup.ts', 'test/support/engines-setup.ts'],
  packages: ['test/support/bundles-setup.ts'],
};

/** Vitest knows one pattern for all copies. So each copy skips the tests that only another copy needs. */
const enterText = (copy: string, killers: readonly TestKiller[]): string => `
process.chdir(${JSON.stringify(copy)});
const titles = ${JSON.stringify(killers.map(({ title }) => title))};
const fullName = ({ name, suite }) => (suite ? \`\${fullName(suite)} \${name}\` : name);
beforeEach(({ task, skip }) => {
  if (!titles.some((title) => fullName(task).includes(title))) skip();
});
`;

/** `folder`: of this run of Vitest. The tests of a copy have the copy as their working directory. */
function projectsOf({ copy, killers }: CopyRun, index: number, folder: string): object[] {
  const files = [...new Set(killers.map(({ file }) => file))];
  const inCopy = (names: string[]) => names.map((name) => join(copy, name)).filter((path) => existsSync(path));
  const lanes = new Map(files.map((file) => [file, laneIn(copy, file)]));
  const enter = join(folder, `enter-${index}.mjs`);
  writeFileSync(enter, enterText(copy, killers));
  return [...new Set(lanes.values())].map((lane) => ({
    root: copy,
    test: {
      name: `${index} ${lane}`,
      ...{
        include: files.filter((file) => lanes.get(file) === lane),
        globalSetup: inCopy(SETUP[lane] ?? []),
        setupFiles: [enter, ...inCopy(['test/support/fresh-file.ts'])],
      },
      ...{ globals: true, pool: 'forks', isolate: false, testTimeout: 120_000, hookTimeout: 120_000 },
      // The whole values: a mutant may name a part of them.
      chaiConfig: { truncateThreshold: 0 },
    },
  }));
}

/**
 * Runs the killers of several copies by one Vitest, because its start takes longer than most killers. Returns the results
 * of each copy. A result is NotJudged if the killer neither passes nor fails. Only the named tests decide: a file that
 * does not load judges nothing, and its other tests do not count.
 */
export async function runTests(root: string, runs: readonly CopyRun[]): Promise<Result[][]> {
  const titles = runs.flatMap(({ killers }) => killers.map(({ title }) => asPattern(title)));
  if (titles.length === 0) return runs.map(() => []);
  const folder = await mkdtemp(join(tmpdir(), 'miniapp-test-killers-'));
  try {
    const [config, report] = [join(folder, 'vitest.config.mjs'), join(folder, 'report.json')];
    const test = { projects: runs.flatMap((one, index) => projectsOf(one, index, folder)), maxWorkers: 3 };
    writeFileSync(config, `export default ${JSON.stringify({ root: folder, test })};\n`);
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const { output } = await run(
      process.execPath,
      [
        ...[vitest, 'run', '--config', config, '--testNamePattern', titles.join('|')],
        ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
      ],
      folder,
    );
    const text = await readFile(report, 'utf8').catch(() => null);
    if (text === null) return runs.map(({ killers }) => killers.map(({ file }) => didNotRun(file, output)));
    const { testResults } = JSON.parse(text) as Report;
    return runs.map(({ copy, killers }) => killers.map((killer) => resultOf(killer, copy, testResults)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const didNotRun = (file: string, output: string): NotJudged => new NotJudged(`${file} did not run: ${excerpt(output)}`);

function resultOf({ file, title }: TestKiller, copy: string, results: Report['testResults']): Result {
  const found = results.find(({ name }) => name.endsWith(join(copy, file)));
  if (!found) return didNotRun(file, '');
  const meant = found.assertionResults.filter(
    ({ fullName, status }) => fullName.includes(title) && /^(passed|failed)$/.test(status),
  );
  if (meant.length === 0) return new NotJudged(`no test "${title}" of ${file} ran: ${excerpt(found.message)}`);
  const failed = meant.filter(({ status }) => status === 'failed');
  return failed.length > 0 ? failed.flatMap(({ failureMessages }) => failureMessages).join('\n') : null;
}

export async function runCommand({ command }: CommandKiller, copy: string): Promise<Result> {
  const { code, output } = await run('sh', ['-c', command], copy);
  if (code === null) return new NotJudged(`${command} did not end: ${excerpt(output)}`);
  return code === 0 ? null : output;
}
