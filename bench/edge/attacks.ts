import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, call, loginOf } from './callers.ts';

/** Attacks from one address. The good callers have others. */
export interface RunningAttack {
  /** Calls that were answered until now, and how many of them were refused by a limit. */
  calls(): { made: number; refused: number };
  stop(): Promise<void>;
}

interface Target {
  url: string;
  attacker: Caller;
  /** Reads a second that this machine serves when nothing else runs. */
  perSecond: number;
}

const DIRECT = '127.0.0.2';
/** At once would be a flood of connections, which is another attack. */
const REOPEN_MS = 1_000;
const LOGINS_AT_ONCE = 16;
const TICK_MS = 20;
const MOST_AT_ONCE = 1_000;

const half = (path: string, header = '') =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\n${header}content-length: 1000\r\n\r\n{`;

export const attacks: Record<string, (target: Target) => RunningAttack> = {
  none: () => ({ calls: () => ({ made: 0, refused: 0 }), stop: async () => {} }),
  '256 requests for an unknown route, half sent': ({ url }) => hold(url, 256, half('/nowhere'), ' '),
  '256 logins with an invented token, half sent': ({ url }) =>
    hold(url, 256, half('/login', 'access-token: a\r\n'), ' '),
  '256 requests whose head is half sent': ({ url }) => hold(url, 256, 'GET /health HTTP/1.1\r\nx-a: ', 'a'),
  '200 idle connections after one call each': ({ url }) =>
    hold(url, 200, 'GET /health HTTP/1.1\r\nhost: a\r\n\r\n', ''),
  '200 connections that send nothing': ({ url }) => hold(url, 200, '', ''),
  '16 right logins at once of one account': manyLogins,
  'v1 reads of another app, a third of what is served quiet': manyReads,
};

/** Keeps `count` connections open, opens closed ones again, and sends `drip` on each of them every 2 s. */
function hold(url: string, count: number, begin: string, drip: string): RunningAttack {
  const held = new Set<Socket>();
  let stopped = false;
  const open = () => {
    if (stopped) return;
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', localAddress: DIRECT });
    held.add(socket);
    socket.on('error', () => {});
    socket.on('connect', () => socket.write(begin));
    socket.resume();
    socket.on('close', () => {
      held.delete(socket);
      setTimeout(open, REOPEN_MS);
    });
  };
  for (let index = 0; index < count; index += 1) open();
  const dripping = setInterval(() => {
    if (drip) for (const socket of held) socket.write(drip);
  }, 2_000);
  return {
    calls: () => ({ made: 0, refused: 0 }),
    async stop() {
      stopped = true;
      clearInterval(dripping);
      for (const socket of held) socket.destroy();
    },
  };
}

function manyLogins({ url, attacker }: Target): RunningAttack {
  const { answered, calls } = counter();
  let stopped = false;
  const loops = Array.from({ length: LOGINS_AT_ONCE }, async () => {
    while (!stopped) {
      const { status } = await call(url, attacker, loginOf(attacker));
      answered(status);
      // A refusal takes 1 ms. Without a pause this client would use the machine that it shares with the server.
      if (status === 429) await sleep(50);
    }
  });
  return {
    calls,
    async stop() {
      stopped = true;
      await Promise.all(loops);
    },
  };
}

function manyReads({ url, attacker, perSecond }: Target): RunningAttack {
  const { answered, calls } = counter();
  const { session: _, ...stranger } = attacker;
  const running = new Set<Promise<void>>();
  const startedAt = performance.now();
  let sent = 0;
  const sending = setInterval(() => {
    const due = ((performance.now() - startedAt) * perSecond) / 3_000;
    for (; sent < due; sent += 1) {
      if (running.size >= MOST_AT_ONCE) continue;
      const read = call(url, stranger, { method: 'GET', path: `/data/notice/${1 + (sent % 20)}`, v1: true });
      const ended = read.then(({ status }) => answered(status)).finally(() => running.delete(ended));
      running.add(ended);
    }
  }, TICK_MS);
  return {
    calls,
    async stop() {
      clearInterval(sending);
      await Promise.all(running);
    },
  };
}

function counter() {
  const counts = { made: 0, refused: 0 };
  return {
    calls: () => ({ ...counts }),
    answered(status: number) {
      counts.made += 1;
      if (status === 429) counts.refused += 1;
    },
  };
}
