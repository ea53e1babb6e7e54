import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { judge, type Verdict } from '../mutants/judge.ts';

/** A project of two files, and patches. Two of the patches are mistakes that their killers find. */
const COMMENT = '/** Adds. */';
const CODE = 'export const sum = (a: number, b: number): number => a + b;';
const files = {
  'package.json': '{ "type": "module" }\n',
  'sum.ts': `${COMMENT}\n${CODE}\n`,
  'sum.test.ts': `import { expect, test } from 'vitest';
import { sum } from './sum.ts';

test('adds two numbers', () => expect(sum(2, 3)).toBe(5));
test('adds nothing', () => expect(sum(7, 0)).toBe(7));
test('fails in any case', () => expect(sum(1, 1)).toBe(3));
`,
};

const diff = (...lines: string[]): string =>
  ['--- a/sum.ts', '+++ b/sum.ts', '@@ -1,2 +1,2 @@', ...lines, ''].join('\n');
const inComment = (comment: string): string => diff(`-${COMMENT}`, `+${comment}`, ` ${CODE}`);
const inSum = (body: string): string => diff(` ${COMMENT}`, `-${CODE}`, `+${CODE.replace('a + b', body)}`);
const head = (killedBy: string, says = ''): string =>
  `# mistake: a wrong sum\n# killed by: ${killedBy}\n${says && `# says: ${says}\n`}`;
const ADDS = 'sum.test.ts "adds two numbers"';

const patches: Record<string, string> = {
  'a-mistake': head(ADDS, 'expected 6 to be 5') + inSum('a * b'),
  'a-mistake-that-a-command-sees': head('`! grep -n "a - b" sum.ts`', 'a - b') + inSum('a - b'),
  'no-change': head(ADDS) + inComment('/** Sums. */'),
  'another-test-fails': head(ADDS) + inSum('(b === 0 ? 0 : a + b)'),
  'a-file-that-does-not-load': head(ADDS) + inSum('('),
  'another-failure': head(ADDS, 'expected 6 to be 5') + inSum('a - b'),
  'another-failure-of-a-command': head('`! grep -c "a - b" sum.ts`', 'a * b') + inSum('a - b'),
  'an-old-patch': head(ADDS) + inSum('a * b').replace('=> a + b', '=> b + a'),
  'a-test-that-does-not-exist': head('sum.test.ts "adds three numbers"') + inSum('a * b'),
  'a-test-that-always-fails': head('sum.test.ts "fails in any case"') + inSum('a * b'),
  'no-head': inSum('a * b'),
  'a-command-that-says-nothing': head('`false`') + inSum('a * b'),
};

const verdicts = new Map<string, Verdict>();
const folder = mkdtempSync(join(tmpdir(), 'miniapp-test-mutants-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  for (const name of ['project', 'patches']) mkdirSync(join(folder, name));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'project', name), text);
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(folder, 'project', 'node_modules'));
  const paths = Object.entries(patches).map(([name, text]) => {
    const path = join(folder, 'patches', `${name}.patch`);
    writeFileSync(path, text);
    return path;
  });
  await judge(join(folder, 'project'), paths, (verdict) => verdicts.set(verdict.name, verdict));
}, 300_000);

test.each(['a-mistake', 'a-mistake-that-a-command-sees'])('%s is killed', (name) => {
  expect(verdicts.get(name)).toMatchObject({ verdict: 'killed', reason: '' });
});

test.each(['no-change', 'another-test-fails'])('%s survives, because its own test passes', (name) => {
  expect(verdicts.get(name)).toMatchObject({ verdict: 'survived' });
});

test.each([
  ['a-file-that-does-not-load', 'no test "adds two numbers" of sum.test.ts ran'],
  ['another-failure', 'does not say "expected 6 to be 5"'],
  ['another-failure-of-a-command', 'does not say "a * b"'],
  ['an-old-patch', 'it no longer applies'],
  ['a-test-that-does-not-exist', 'no test "adds three numbers" of sum.test.ts ran'],
  ['a-test-that-always-fails', 'also fails without the mutant'],
  ['no-head', '# mistake:'],
  ['a-command-that-says-nothing', '# says:'],
])('%s does not count as killed', (name, reason) => {
  expect(verdicts.get(name)).toMatchObject({ verdict: 'not judged', reason: expect.stringContaining(reason) });
});

test('every patch has a verdict', () => {
  expect([...verdicts.keys()].sort()).toEqual(Object.keys(patches).sort());
});
