import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Mutant, NotJudged } from './mutant.ts';

/** Names that git does not track, and git's own folder. */
const LEFT_OUT = /^(node_modules|dist|coverage|\.git|\.data|\.env|\.serverless.*)$/;
const LIMIT_MS = 300_000;

/** Runs `work` with `count` copies of the project. They use the project's node_modules. */
export async function withCopies<T>(root: string, count: number, work: (copies: string[]) => Promise<T>): Promise<T> {
  const copies: string[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const copy = await mkdtemp(join(tmpdir(), 'miniapp-test-mutant-'));
      copies.push(copy);
      const filter = (source: string) => source === root || !LEFT_OUT.test(basename(source));
      await cp(root, copy, { recursive: true, filter });
      await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
    }
    return await work(copies);
  } finally {
    for (const copy of copies) await rm(copy, { recursive: true, force: true });
  }
}

interface Run {
  /** null: the command was ended after five minutes. */
  code: number | null;
  output: string;
}

/** Runs a command without the variables of CI, which would add a retry and a report. */
export function run(command: string, args: string[], cwd: string): Promise<Run> {
  const { CI: _, TEST_REPORT: __, ...rest } = process.env;
  // Without the ceiling, git applies nothing in a temporary folder that is inside a repository.
  const env = { ...rest, GIT_CEILING_DIRECTORIES: dirname(cwd), NO_COLOR: '1' };
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => output.push(text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output: output.join('') }));
  });
}

/** Applies the patch. null: applied; NotJudged: it does not apply, with the message of git. */
export async function apply({ patch }: Mutant, copy: string): Promise<NotJudged | null> {
  const { code, output } = await run('git', ['apply', '--whitespace=nowarn', patch], copy);
  if (code === 0) return null;
  return new NotJudged(`it no longer applies; write it again for the code of today: ${output.trim()}`);
}
