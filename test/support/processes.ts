import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { build } from 'esbuild';
import { temporaryFolder } from './temporary-folder.ts';

/**
 * Runs `file` in `count` processes at once. Each gets its number as the only argument and prints JSON; these values are
 * returned. All begin their work together: a process waits until it reads a line.
 */
export async function inProcesses<T>(file: string, count: number, env: Record<string, string>): Promise<T[]> {
  const folder = await temporaryFolder('processes');
  const outfile = join(folder.path, 'work.mjs');
  await build({ entryPoints: [file], outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'silent' });
  const children = Array.from({ length: count }, (_, index) => {
    const child = spawn(process.execPath, [outfile, String(index)], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    const done = new Promise<T>((resolve, reject) => {
      child.on('close', (code) => {
        if (code === 0) resolve(JSON.parse(text.slice(text.indexOf('ready\n') + 6)) as T);
        else reject(new Error(`process ${index} ended with ${code}`));
      });
    });
    const ready = Promise.race([once(child.stdout, 'data'), done]);
    return { child, ready, done };
  });
  try {
    await Promise.all(children.map(({ ready }) => ready));
    for (const { child } of children) child.stdin.end('go\n');
    return await Promise.all(children.map(({ done }) => done));
  } finally {
    for (const { child } of children) child.kill('SIGKILL');
    await folder.remove();
  }
}
