import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { send, TransportError } from '../shared/transport.ts';

/**
 * Compares global fetch with our transport over node:http(s) with kept sockets: CPU for each call, the first call of a
 * process, and the calls after a freeze in which all kept sockets were closed.
 */
interface Figures {
  way: string;
  firstCallMs: number;
  cpuMicros: number;
  callsPerSecond: number;
  /** How many of 8 calls at once got an answer after all kept sockets were closed. */
  afterFreeze: string;
}

export const suite = {
  name: 'transport',
  about: 'fetch, compared with node:http with kept sockets',
  run: reportTransports,
};

type Call = (url: string) => Promise<string>;

const body = JSON.stringify(['EVALSHA', 'a'.repeat(40), '4', ...Array.from({ length: 12 }, (_, i) => `argument-${i}`)]);
const headers = { authorization: 'Bearer token', 'content-type': 'application/json' };

const ways: Record<string, Call> = {
  'global fetch': async (url) => (await fetch(url, { method: 'POST', headers, body })).text(),
  'shared/transport.ts': async (url) => {
    const options = { method: 'POST', headers, body, timeoutMs: 5_000, repeatable: true } as const;
    return (await send({ url: new URL(url), ...options })).body.toString('utf8');
  },
};

const CALLS = 4_000;
const PARALLEL = 8;

async function compareTransports(): Promise<Figures[]> {
  const figures: Figures[] = [];
  for (let round = 0; round < 3; round += 1) {
    for (const way of Object.keys(ways)) figures.push(inProcessOfItsOwn(way));
  }
  // The best of three rounds: other work on the machine can only add time.
  return Object.keys(ways).map((way) => {
    const mine = figures.filter((figure) => figure.way === way);
    return {
      way,
      firstCallMs: Math.min(...mine.map(({ firstCallMs }) => firstCallMs)),
      cpuMicros: Math.min(...mine.map(({ cpuMicros }) => cpuMicros)),
      callsPerSecond: Math.max(...mine.map(({ callsPerSecond }) => callsPerSecond)),
      afterFreeze: mine[0]?.afterFreeze ?? '',
    };
  });
}

function inProcessOfItsOwn(way: string): Figures {
  const args = ['--import', 'tsx', fileURLToPath(import.meta.url), '--way', way];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  const line = stdout.trim().split('\n').at(-1);
  if (!line) throw new Error(stderr);
  return JSON.parse(line) as Figures;
}

async function measureOne(way: string, url: string): Promise<Figures> {
  const call = ways[way] as Call;
  const startedAt = performance.now();
  await call(url);
  const firstCallMs = performance.now() - startedAt;
  const many = async (count: number) => {
    let left = count;
    const one = async () => {
      while (left-- > 0) await call(url);
    };
    await Promise.all(Array.from({ length: PARALLEL }, one));
  };
  await many(CALLS / 2);
  const cpu = process.cpuUsage();
  const from = performance.now();
  await many(CALLS);
  const seconds = (performance.now() - from) / 1000;
  const used = process.cpuUsage(cpu);

  // The server closes all connections while this process is idle, as happens while a process is frozen.
  await call(`${url}end-all`);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => call(url)));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [nameOf(result.reason)] : []));
  return {
    way,
    firstCallMs,
    cpuMicros: (used.user + used.system) / CALLS,
    callsPerSecond: CALLS / seconds,
    afterFreeze: `${8 - failures.length} of 8${failures.length > 0 ? ` (${[...new Set(failures)].join(', ')})` : ''}`,
  };
}

function nameOf(error: unknown): string {
  if (error instanceof TransportError) return error.reason;
  const { cause } = error as { cause?: { code?: string } };
  return cause?.code ?? 'failed';
}

/** In a process of its own, so that its CPU is not counted. */
function serveConstant(): void {
  const sockets = new Set<Socket>();
  const answer = JSON.stringify({ result: ['admitted', '', '0', '', 'hit', 'x'.repeat(300)] });
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.setHeader('content-type', 'application/json').end(answer));
    if (request.url === '/end-all') setTimeout(() => [...sockets].map((socket) => socket.destroy()), 50);
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
}

async function child(way: string): Promise<void> {
  const server = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(import.meta.url), '--serve']);
  try {
    const [port] = await once(server.stdout, 'data');
    console.log(JSON.stringify(await measureOne(way, `http://127.0.0.1:${String(port).trim()}/`)));
  } finally {
    server.kill();
  }
  process.exit(0);
}

async function reportTransports(): Promise<{ ways: Figures[] }> {
  const figures = await compareTransports();
  for (const { way, firstCallMs, cpuMicros, callsPerSecond, afterFreeze } of figures) {
    console.log(
      `${way.padEnd(22)} first call ${firstCallMs.toFixed(1)} ms, ${cpuMicros.toFixed(0)} us of CPU for each call, ` +
        `${callsPerSecond.toFixed(0)} calls/s, after a freeze ${afterFreeze}`,
    );
  }
  return { ways: figures };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const at = process.argv.indexOf('--way');
  if (process.argv.includes('--serve')) {
    serveConstant();
  } else if (at > 0) {
    await child(process.argv[at + 1] ?? '');
  } else {
    const figures = await reportTransports();
    if (process.argv.includes('--json')) console.log(JSON.stringify(figures));
  }
}
