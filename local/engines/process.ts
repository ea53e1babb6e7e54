import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Runs a child that ends when this process ends. `sh` starts a watcher that reads descriptor 3, and then becomes the
 * engine, so the pid is the engine's. When this process ends, also by SIGKILL, the kernel closes the other end: the
 * watcher reads the end of file, kills the engine and removes its run directory. If the engine ends first, the watcher
 * gets a line and kills nothing: the pid may belong to another process by then.
 */
const BOUND = `( read -r line <&3 || { kill -9 $$; sleep 1; [ -z "$0" ] || rm -rf -- "$0"; } ) >/dev/null 2>&1 </dev/null &
exec "$@" 3<&-`;

export interface BoundChild {
  pid: number;
  /** The last lines of the child's output, for error messages. Never base a decision about data on it. */
  output(): string;
  isRunning(): boolean;
  exited: Promise<void>;
  /** Sends SIGTERM, and SIGKILL if it still runs after 15 s. Safe to call twice. */
  stop(): Promise<void>;
}

const STOP_GRACE_MS = 15_000;
const OUTPUT_CHARACTERS = 8_000;

export function spawnBound(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; runDirectory?: string } = {},
): BoundChild {
  // Detached: Ctrl-C reaches only this process, which then stops its engines in the right order.
  const child: ChildProcess = spawn('/bin/sh', ['-c', BOUND, options.runDirectory ?? '', command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    detached: true,
  });
  const lifeline = child.stdio[3] as Duplex;
  lifeline.on('error', () => {}); // the child may end first
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      text = (text + chunk).slice(-OUTPUT_CHARACTERS);
    });
    (stream as unknown as { unref?(): void } | null)?.unref?.();
  }
  let running = true;
  const exited = new Promise<void>((resolve) => {
    const ended = () => {
      if (!running) return;
      running = false;
      lifeline.end('ended\n');
      resolve();
    };
    child.once('exit', ended);
    child.once('error', (error) => {
      text += error.message;
      ended();
    });
  });
  // A script that does not stop its engines still ends, and the engines end with it.
  child.unref();
  (lifeline as unknown as { unref?(): void }).unref?.();
  return {
    pid: child.pid ?? -1,
    output: () => text.trim(),
    isRunning: () => running,
    exited,
    async stop() {
      if (!running) return;
      child.ref();
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** Runs a command to its end. Never throws. The exit code is 127 if the command cannot be started. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], { cwd: options.cwd, env: { ...process.env, ...options.env } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.stdin.on('error', () => {}); // it may end before it has read everything
    child.stdin.end(options.input ?? '');
    child.once('error', (error) => resolve({ code: 127, stdout, stderr: error.message }));
    child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}

/** Null: not on PATH. Also looks in `sbin` beside each `bin`, because the PATH of many users has no `sbin`. */
export function findOnPath(name: string, environment: NodeJS.ProcessEnv = process.env): string | null {
  const directories = (environment.PATH ?? '').split(delimiter).filter((directory) => directory !== '');
  const siblings = directories.map((directory) => directory.replace(/\/bin\/?$/, '/sbin'));
  for (const directory of [...directories, ...siblings]) {
    const file = join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {}
  }
  return null;
}

/** A loopback port that was free just now. Another program may take it before the caller does. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(address)));
    });
  });
}

/** Identifies a live process: a later process with the same pid has another identity. Null: no such process. */
export async function processIdentity(pid: number): Promise<string | null> {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name in brackets may hold spaces
    return fields[0] === 'Z' ? null : `${pid} ${fields[19]}`;
  } catch {}
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null;
  }
  const { code, stdout } = await run('ps', ['-o', 'lstart=', '-p', String(pid)]);
  return code === 0 ? `${pid} ${stdout.trim()}` : null;
}

const PORT_TAKEN = /address already in use|could not create server tcp|failed listening on port/i;
const READY_WITHIN_MS = 120_000; // crash recovery of a large data directory is slow

/**
 * Starts a server and waits until `isReady` confirms that this server answers, and not another one. Without a port it
 * takes a free port, and tries another one if a program has taken that port.
 */
export async function startOnPort(options: {
  name: string;
  port: number | undefined;
  spawn(port: number): BoundChild;
  isReady(port: number, child: BoundChild): Promise<boolean>;
}): Promise<{ port: number; child: BoundChild }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const child = options.spawn(port);
    const deadline = Date.now() + READY_WITHIN_MS;
    let pause = 5;
    while (child.isRunning() && Date.now() < deadline) {
      if (await options.isReady(port, child)) return { port, child };
      await sleep(pause);
      pause = Math.min(pause * 1.5, 100);
    }
    const timedOut = child.isRunning();
    await child.stop();
    if (PORT_TAKEN.test(child.output())) {
      if (options.port !== undefined) throw new Error(`${options.name}: port ${port} is taken by another program`);
      if (attempt < 5) continue;
    }
    const reason = timedOut ? 'did not answer in time' : 'ended before it answered';
    throw new Error(`${options.name} ${reason}; its last output:\n${child.output()}`);
  }
}
