import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { rebuildOnChange } from '../../local/rebuild.ts';
import { watchFiles } from '../../local/watch-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let folder: string;
beforeEach(async () => {
  const temporary = await temporaryFolder('watched');
  folder = temporary.path;
  for (const name of ['functions', 'shared/deep']) mkdirSync(join(folder, name), { recursive: true });
  for (const name of ['functions/a.ts', 'shared/deep/b.ts', 'serverless.yml'])
    writeFileSync(join(folder, name), 'old 1');
  return () => temporary.remove();
});
const file = () => join(folder, 'shared/deep/b.ts');
const waitFor = (done: () => void) => vi.waitFor(done, { timeout: 20_000, interval: 20 });

const git = (...argv: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...argv], { cwd: folder, stdio: 'pipe' });

/** Replaces the file by another one, as most editors do to be safe against a crash. */
function replace(text: string): void {
  writeFileSync(join(folder, 'shared/deep/.b.ts.new'), text);
  renameSync(join(folder, 'shared/deep/.b.ts.new'), file());
}

const SAVES: [way: string, save: (text: string) => void][] = [
  ['in place', (text) => writeFileSync(file(), text)],
  ['by a rename', replace],
  ['with sed -i', (text) => void execFileSync('sed', ['-i', `s/.*/${text}/`, file()])],
  [
    'as vim does with a backup: the old file is moved, a new one written, the backup removed',
    (text) => {
      renameSync(file(), `${file()}~`);
      writeFileSync(file(), text);
      rmSync(`${file()}~`);
    },
  ],
  [
    'with the time stamp of the old file, as rsync and tar do',
    (text) => {
      writeFileSync(file(), text);
      utimesSync(file(), new Date(0), new Date(0));
    },
  ],
];

describe('a save is seen', () => {
  test.each(SAVES.flatMap(([way, save]) => SAVES.map(([next, saveAgain]) => [way, next, save, saveAgain] as const)))(
    '%s, and the next one %s',
    async (_way, _next, save, saveAgain) => {
      const seen = vi.fn();
      const watching = watchFiles([join(folder, 'shared')], () => seen(readFileSync(file(), 'utf8').trim()));
      onTestFinished(() => watching.stop());
      save('new 2');
      await waitFor(() => expect(seen).toHaveBeenLastCalledWith('new 2'));
      saveAgain('new 3');
      await waitFor(() => expect(seen).toHaveBeenLastCalledWith('new 3'));
    },
  );

  test('by git checkout of another commit, and in place after it', async () => {
    git('init', '-q');
    git('add', '.');
    git('commit', '-qm', 'one');
    writeFileSync(file(), 'new 2');
    git('commit', '-qam', 'two');
    const seen = vi.fn();
    const watching = watchFiles([join(folder, 'shared')], () => seen(readFileSync(file(), 'utf8')));
    onTestFinished(() => watching.stop());
    git('checkout', '-q', 'HEAD~1');
    await waitFor(() => expect(seen).toHaveBeenLastCalledWith('old 1'));
    writeFileSync(file(), 'new 3');
    await waitFor(() => expect(seen).toHaveBeenLastCalledWith('new 3'));
  });

  test('of a new file in a new folder, and its removal', async () => {
    const seen = vi.fn();
    const watching = watchFiles([join(folder, 'shared')], seen);
    onTestFinished(() => watching.stop());
    const added = join(folder, 'shared/new/c.ts');
    mkdirSync(join(folder, 'shared/new'));
    writeFileSync(added, 'x');
    await waitFor(() => expect(seen).toHaveBeenLastCalledWith([added]));
    rmSync(join(folder, 'shared/new'), { recursive: true });
    await waitFor(() => expect(seen).toHaveBeenCalledTimes(2));
  });
});

describe('npm run dev', () => {
  function watched() {
    const lines: string[] = [];
    const outcomes: (() => Promise<void>)[] = [];
    const onBuilt = vi.fn(async () => {});
    const onDeclared = vi.fn(async () => {});
    const build = () => (outcomes.shift() ?? (async () => {}))();
    const watching = rebuildOnChange({ folder, build, onBuilt, onDeclared, log: (line) => lines.push(line) });
    onTestFinished(() => watching.stop());
    return { lines, outcomes, onBuilt, onDeclared };
  }

  test('makes one build of many saves, and continues after a source that does not build', async () => {
    const { lines, outcomes, onBuilt, onDeclared } = watched();
    outcomes.push(() => Promise.reject(new Error('it does not build')));
    writeFileSync(join(folder, 'functions/a.ts'), 'broken');
    await waitFor(() => expect(lines).toEqual(['it does not build']));
    for (const name of ['functions/a.ts', 'functions/b.ts', 'shared/deep/b.ts'])
      writeFileSync(join(folder, name), 'changed again');
    await waitFor(() => expect(lines).toEqual(['it does not build', 'functions built again']));
    expect([onBuilt.mock.calls.length, onDeclared.mock.calls.length]).toEqual([1, 0]);
  });

  test('reads serverless.yml again when it changed, and continues after one with an error', async () => {
    const { lines, onBuilt, onDeclared } = watched();
    onDeclared.mockRejectedValueOnce(new Error('a route needs one method'));
    writeFileSync(join(folder, 'serverless.yml'), 'broken');
    await waitFor(() => expect(lines).toEqual(['a route needs one method']));
    writeFileSync(join(folder, 'serverless.yml'), 'good');
    await waitFor(() => expect(lines).toEqual(['a route needs one method', 'serverless.yml read again']));
    expect(onBuilt).not.toHaveBeenCalled();
  });

  test('says that code of its own process needs a restart', async () => {
    const { lines } = watched();
    mkdirSync(join(folder, 'db/migrations'), { recursive: true });
    writeFileSync(join(folder, 'db/migrations/0009_more.sql'), 'x');
    const line = `${join('db', 'migrations', '0009_more.sql')} changed: restart this command to use it`;
    await waitFor(() => expect(lines).toEqual([line]));
  });

  test('does not build for the files that an editor keeps beside a source', async () => {
    const { lines } = watched();
    for (const name of ['.a.ts.swp', 'a.ts~', '4913', '.#a.ts', '#a.ts#'])
      writeFileSync(join(folder, 'functions', name), 'x');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(lines).toEqual([]);
  });
});
