import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type CheckoutCopy, copyCheckout } from '../support/checkout-copy.ts';
import { projectFolder } from '../support/package-template.ts';

function copy(): CheckoutCopy {
  const made = copyCheckout();
  onTestFinished(() => made.remove());
  return made;
}

function run(cwd: string, argv: string[]): Promise<{ code: number; text: string; ms: number }> {
  const begun = performance.now();
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { cwd }, (error, stdout, stderr) => {
      const code = error ? Number(error.code) : 0;
      resolve({ code, text: stdout + stderr, ms: performance.now() - begun });
    });
  });
}
const help = (cwd: string) => run(cwd, ['build/tool.mjs', 'portal/main.ts', '--help']);

test('the portal starts in at most five times the time of "node -e 0"', async () => {
  await help(projectFolder);
  const best = { portal: Number.POSITIVE_INFINITY, node: Number.POSITIVE_INFINITY };
  // In turns, so that other work on the machine slows both.
  for (let round = 0; round < 5; round++) {
    best.portal = Math.min(best.portal, (await help(projectFolder)).ms);
    best.node = Math.min(best.node, (await run(projectFolder, ['-e', '0'])).ms);
  }
  expect(best.portal / best.node).toBeLessThanOrEqual(5);
});

test('an edited, added or broken file is in the next command: no command runs a former build', async () => {
  const checkout = copy();
  expect(await help(checkout.path)).toMatchObject({ code: 0, text: expect.stringContaining('apps that may call') });
  checkout.edit('portal/nouns/app.ts', 'apps that may call', 'programs that may call');
  expect((await help(checkout.path)).text).toContain('programs that may call');

  checkout.write(
    'portal/nouns/clock.ts',
    "import type { Noun } from '../command.ts';\nexport const clock: Noun = { about: 'a new noun', verbs: {} };\n",
  );
  checkout.edit(
    'portal/nouns.ts',
    '  app: async',
    "  clock: async () => (await import('./nouns/clock.ts')).clock,\n  app: async",
  );
  expect((await help(checkout.path)).text).toContain('a new noun');

  checkout.write('portal/nouns/clock.ts', 'export const clock = {{;\n');
  const broken = await help(checkout.path);
  expect(broken).toMatchObject({ code: 1, text: expect.stringContaining('portal/nouns/clock.ts') });
  expect(broken.text).not.toContain('a new noun');
  // The sentence of esbuild is enough.
  expect(broken.text).not.toContain('at ');
});

test('a bug of a bundled command is reported with the line of its source', async () => {
  const checkout = copy();
  const file = 'portal/nouns/completion.ts';
  checkout.edit(file, 'const script = scriptFor(', 'null.x;\n  const script = scriptFor(');
  checkout.edit(file, 'null.x', '(JSON.parse("null") as { x: number }).x');
  const line =
    checkout
      .read(file)
      .split('\n')
      .findIndex((text) => text.includes('JSON.parse')) + 1;
  const bug = await run(checkout.path, ['build/tool.mjs', 'portal/main.ts', 'completion', 'bash']);
  expect(bug).toMatchObject({ code: 1, text: expect.stringContaining(`This is a bug: TypeError at ${file}:${line}.`) });
});

test('commands that start together before the first build all run', async () => {
  const checkout = copy();
  const runs = await Promise.all(Array.from({ length: 4 }, () => help(checkout.path)));
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
});

test('where the folder of packages cannot be written, the command runs from its sources', async () => {
  const checkout = copy();
  const packages = join(checkout.path, 'node_modules');
  rmSync(packages);
  mkdirSync(packages);
  for (const name of readdirSync(join(projectFolder, 'node_modules'))) {
    if (name !== '.cache') symlinkSync(join(projectFolder, 'node_modules', name), join(packages, name));
  }
  writeFileSync(join(packages, '.cache'), 'a file in the place of the folder');
  expect(await help(checkout.path)).toMatchObject({ code: 0, text: expect.stringContaining('apps that may call') });
});

test('a bundled command finds the files beside its sources: routes, functions, data folders', async () => {
  const target = ['lock', 'peek', '--target', 'POST /logim', '--data', '/nowhere'];
  const nowhere = await run('/', [join(projectFolder, 'build/tool.mjs'), 'portal/main.ts', ...target]);
  expect(nowhere).toMatchObject({ code: 1, text: expect.stringContaining('Nothing runs on /nowhere') });
  const status = await run('/', [join(projectFolder, 'build/tool.mjs'), 'db/main.ts', 'status', '--data', '/nowhere']);
  expect(status).toMatchObject({ code: 1, text: expect.stringContaining('/nowhere/state.json') });
});
