import { basename } from 'node:path';
import { laneIn } from '../support/lanes.ts';
import { excerpt, type Result, runCommand, runTests } from './killers.ts';
import { type Mutant, NotJudged, readMutant, type TestKiller } from './mutant.ts';
import { apply, withCopies } from './workshop.ts';

/** `not judged`: the mutant does not apply, or its killer did not pass or fail because of it. */
export interface Verdict {
  name: string;
  verdict: 'killed' | 'survived' | 'not judged';
  /** Why the mutant was not killed. */
  reason: string;
}

/** So many mutants are judged at once, each in its own copy. After each group its verdicts are known. */
const AT_A_TIME = 8;

/**
 * Judges each patch in its own copy of `root`. A killer must pass without a mutant, or its failure does not count.
 * `tested`: the whole suite has just run, so only killers that need no engine are run without a mutant again.
 */
export async function judge(
  root: string,
  patches: string[],
  onVerdict: (verdict: Verdict) => void,
  tested = false,
): Promise<void> {
  const queue = patches.map((patch) => ({ name: basename(patch, '.patch'), mutant: readMutant(patch) }));
  const mutants = queue.flatMap(({ mutant }) => (mutant instanceof NotJudged ? [] : mutant));
  const unchanged = await withCopies(root, 1, ([copy = '']) =>
    resultsIn(root, copy, tested ? mutants.filter((mutant) => isQuick(mutant, root)) : mutants),
  );
  while (queue.length > 0) {
    const group = queue.splice(0, AT_A_TIME);
    const results = await resultsUnder(
      root,
      group.map(({ mutant }) => mutant),
      unchanged,
    );
    group.forEach(({ name }, i) => void onVerdict({ name, ...verdictOf(results[i] as Result) }));
  }
}

const isQuick = ({ killer }: Mutant, root: string): boolean =>
  killer.kind === 'command' || laneIn(root, killer.file) === 'unit';

function verdictOf(result: Result): Pick<Verdict, 'verdict' | 'reason'> {
  if (result instanceof NotJudged) return { verdict: 'not judged', reason: result.reason };
  if (result === null) return { verdict: 'survived', reason: 'its killer passes' };
  return { verdict: 'killed', reason: '' };
}

/** The killers' results, each with its mutant, if only the mutant can be the reason. */
function resultsUnder(root: string, group: Array<Mutant | NotJudged>, unchanged: Map<Mutant, Result>) {
  return withCopies(root, group.length, async (copies): Promise<Result[]> => {
    const misfits = await Promise.all(
      group.map((mutant, i) =>
        mutant instanceof NotJudged ? mutant : prepare(mutant, copies[i] as string, unchanged),
      ),
    );
    const runs = group.map((mutant, i) => ({
      copy: copies[i] as string,
      killers: mutant instanceof NotJudged || misfits[i] || mutant.killer.kind !== 'test' ? [] : [mutant.killer],
    }));
    const tested = await runTests(root, runs);
    return Promise.all(
      group.map(async (mutant, i): Promise<Result> => {
        const misfit = misfits[i];
        if (misfit || mutant instanceof NotJudged) return misfit ?? (mutant as NotJudged);
        const { killer } = mutant;
        const result = killer.kind === 'test' ? tested[i]?.[0] : await runCommand(killer, copies[i] as string);
        if (typeof result !== 'string' || result.includes(mutant.says)) return result ?? null;
        return new NotJudged(`its killer fails, but does not say "${mutant.says}": ${excerpt(result)}`);
      }),
    );
  });
}

/** null: the mutant is in the copy. Otherwise why it cannot be judged. */
async function prepare(mutant: Mutant, copy: string, unchanged: Map<Mutant, Result>): Promise<NotJudged | null> {
  const before = unchanged.get(mutant) ?? null;
  if (before instanceof NotJudged) return before;
  if (before !== null) return new NotJudged(`its killer also fails without the mutant: ${excerpt(before)}`);
  return apply(mutant, copy);
}

/** The results of all killers in one copy. */
async function resultsIn(root: string, copy: string, mutants: readonly Mutant[]): Promise<Map<Mutant, Result>> {
  const byTests = mutants.filter(({ killer }) => killer.kind === 'test');
  const killers = byTests.map(({ killer }) => killer as TestKiller);
  const [results = []] = await runTests(root, [{ copy, killers }]);
  const found = new Map(byTests.map((mutant, i) => [mutant, results[i] ?? null]));
  for (const mutant of mutants) {
    if (mutant.killer.kind === 'command') found.set(mutant, await runCommand(mutant.killer, copy));
  }
  return found;
}
