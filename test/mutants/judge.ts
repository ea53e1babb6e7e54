import { basename } from 'node:path';
import { excerpt, type Result, runCommand, runTests } from './killers.ts';
import { type Mutant, NotJudged, readMutant, type TestKiller } from './mutant.ts';
import { apply, withCopy } from './workshop.ts';

/** `not judged`: the mutant does not apply, or its killer did not pass or fail because of it. */
export interface Verdict {
  name: string;
  verdict: 'killed' | 'survived' | 'not judged';
  /** Why the mutant was not killed. */
  reason: string;
  seconds: number;
}

const AT_A_TIME = 3;

/** Judges each patch in its own copy of `root`. A killer must pass without a mutant, or its failure does not count. */
export async function judge(root: string, patches: string[], onVerdict: (verdict: Verdict) => void): Promise<void> {
  const queue = patches.map((patch) => ({ name: basename(patch, '.patch'), mutant: readMutant(patch) }));
  const mutants = queue.flatMap(({ mutant }) => (mutant instanceof NotJudged ? [] : mutant));
  const unchanged = await withCopy(root, (copy) => runKillers(mutants, copy));
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { name, mutant } = next;
      const start = performance.now();
      const result = mutant instanceof NotJudged ? mutant : await resultUnder(mutant, root, unchanged.get(mutant));
      onVerdict({ name, ...verdictOf(result), seconds: (performance.now() - start) / 1000 });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

function verdictOf(result: Result): Pick<Verdict, 'verdict' | 'reason'> {
  if (result instanceof NotJudged) return { verdict: 'not judged', reason: result.reason };
  if (result === null) return { verdict: 'survived', reason: 'its killer passes' };
  return { verdict: 'killed', reason: '' };
}

/** The killer's result with the mutant, if only the mutant can be the reason. */
async function resultUnder(mutant: Mutant, root: string, unchanged: Result = null): Promise<Result> {
  if (unchanged instanceof NotJudged) return unchanged;
  if (unchanged !== null) return new NotJudged(`its killer also fails without the mutant: ${excerpt(unchanged)}`);
  return withCopy(root, async (copy) => {
    const misfit = await apply(mutant, copy);
    if (misfit) return misfit;
    const result = (await runKillers([mutant], copy)).get(mutant) ?? null;
    if (typeof result !== 'string' || result.includes(mutant.says)) return result;
    return new NotJudged(`its killer fails, but does not say "${mutant.says}": ${excerpt(result)}`);
  });
}

async function runKillers(mutants: Mutant[], copy: string): Promise<Map<Mutant, Result>> {
  const byTests = mutants.filter(({ killer }) => killer.kind === 'test');
  const killers = byTests.map(({ killer }) => killer as TestKiller);
  const results = await runTests(killers, copy);
  const found = new Map(byTests.map((mutant, index) => [mutant, results[index] ?? null]));
  for (const mutant of mutants) {
    if (mutant.killer.kind === 'command') found.set(mutant, await runCommand(mutant.killer, copy));
  }
  return found;
}
