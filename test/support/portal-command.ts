import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runPortal } from '../../portal/run.ts';
import { refuseSealing } from '../../shared/master-key.ts';

interface PortalRun {
  code: number;
  stdout: string;
  stderr: string;
  /** The last line of the output, if it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  json: any;
}

const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** `npm run -s portal -- ...` in its own process. Without `environment` it gets the environment of this process. */
export function portal(argv: readonly string[], environment: NodeJS.ProcessEnv = process.env): Promise<PortalRun> {
  return new Promise((resolve) => {
    const options = { cwd: checkout, env: environment };
    execFile(process.execPath, ['build/tool.mjs', 'portal/main.ts', ...argv], options, (error, stdout, stderr) => {
      const last = stdout.trimEnd().split('\n').at(-1) ?? '';
      const json: unknown = last.startsWith('{') ? JSON.parse(last) : undefined;
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr, json });
    });
  });
}

/** The same in this process. A new process takes a second, and only tests of `portal/main.ts` need one. */
export async function portalHere(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
  /** Answers a question. Default: standard input and output are no terminal, so nothing is asked. */
  ask?: (question: string) => Promise<string>,
): Promise<PortalRun> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await withEnvironment(environment, () =>
    runPortal(argv, { out: (line) => out.push(line), err: (line) => err.push(line), ask }),
  );
  const last = out.at(-1) ?? '';
  return {
    code,
    stdout: out.join('\n'),
    stderr: err.join('\n'),
    json: last.startsWith('{') ? JSON.parse(last) : undefined,
  };
}

/** Changes of the environment by the command end with it, as they would in its own process. */
async function withEnvironment<T>(environment: NodeJS.ProcessEnv, work: () => Promise<T>): Promise<T> {
  const before = process.env;
  process.env = { ...environment };
  try {
    return await work();
  } finally {
    process.env = before;
    refuseSealing(undefined);
  }
}

/** Runs a command that must succeed. Otherwise the test fails with the output of the command. */
export async function portalJson(argv: readonly string[]): Promise<PortalRun['json']> {
  const run = await portalHere([...argv, '--json']);
  if (run.code !== 0 || run.json === undefined)
    throw new Error(`portal ${argv.join(' ')}: ${run.stderr || run.stdout}`);
  return run.json;
}
