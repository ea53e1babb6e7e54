import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMysql } from '../../local/engines/engines.ts';
import { judge, type Verdict } from './judge.ts';

/**
 * `npm run test:mutants [-- NAME ...]`: checks that every mistake in this folder makes its test fail. `--tested`: the suite
 * has just run, as in CI, where its failure is a failure of the whole run.
 */
const root = join(import.meta.dirname, '../..');
const tested = process.argv.includes('--tested');
const wanted = process.argv.slice(2).filter((name) => name !== '--tested');
const patches = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.patch') && (wanted.length === 0 || wanted.some((name) => file.includes(name))))
  .map((file) => join(import.meta.dirname, file));
if (patches.length === 0) {
  console.error(`no patch in test/mutants has a name with ${wanted.join(' or ')}`);
  process.exit(2);
}

// One for all killers: its start takes longer than most of them.
const directory = mkdtempSync(join(tmpdir(), 'miniapp-test-mysql-'));
const mysql = await startMysql({ directory, log: () => {} });
const { host, port, user, password } = mysql;
process.env.MYSQL_URL = `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}`;

const verdicts: Verdict[] = [];
const print = (verdict: Verdict): void => {
  verdicts.push(verdict);
  const { name, reason } = verdict;
  console.log(`${verdict.verdict.padEnd(10)} ${name}${reason && `: ${reason}`}`);
};
await judge(root, patches, print, tested);
await mysql.stop();
rmSync(directory, { recursive: true, force: true });
const count = (which: Verdict['verdict']): number => verdicts.filter(({ verdict }) => verdict === which).length;
const [killed, survived, notJudged] = [count('killed'), count('survived'), count('not judged')];
console.log(`${killed} mutants killed, ${survived} survived${notJudged > 0 ? `, ${notJudged} not judged` : ''}`);
const success = killed === patches.length;
// CI adds these numbers to those of the test lanes: a killed mutant is a passed test.
if (process.env.TEST_REPORT) {
  const numFailedTests = patches.length - killed;
  const counts = { numPassedTests: killed, numFailedTests, numPendingTests: 0, numTodoTests: 0 };
  writeFileSync(process.env.TEST_REPORT, JSON.stringify({ success, ...counts, testResults: [] }));
}
process.exitCode = success ? 0 : 1;
