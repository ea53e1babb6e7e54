import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { judge, type Verdict } from './judge.ts';

/** `npm run test:mutants [-- NAME ...]`: checks that every mistake in this folder makes its test fail. */
const root = join(import.meta.dirname, '../..');
const wanted = process.argv.slice(2);
const patches = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.patch') && (wanted.length === 0 || wanted.some((name) => file.includes(name))))
  .map((file) => join(import.meta.dirname, file));
if (patches.length === 0) {
  console.error(`no patch in test/mutants has a name with ${wanted.join(' or ')}`);
  process.exit(2);
}

const verdicts: Verdict[] = [];
await judge(root, patches, (verdict) => {
  verdicts.push(verdict);
  const { name, reason, seconds } = verdict;
  console.log(`${verdict.verdict.padEnd(10)} ${name} (${seconds.toFixed(1)} s)${reason && `: ${reason}`}`);
});
const count = (which: Verdict['verdict']): number => verdicts.filter(({ verdict }) => verdict === which).length;
const notJudged = count('not judged');
console.log(
  `${count('killed')} mutants killed, ${count('survived')} survived${notJudged > 0 ? `, ${notJudged} not judged` : ''}`,
);
process.exitCode = count('killed') === patches.length ? 0 : 1;
