/** The end of a server that loses no call. */
import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connections } from './connections.ts';

/** Answers that are ready wait here while the server stops listening. */
interface AnswerGate {
  passed(): Promise<void> | undefined;
  close(): void;
  open(): void;
}

const POLL_MS = 20;
/** The server stops listening when no connection came for this long, or after `MOST_HELD_MS`. */
const QUIET_MS = 30;
const MOST_HELD_MS = 300;

export function answerGate(): AnswerGate {
  let closed: Promise<void> | undefined;
  let open = () => {};
  return {
    passed: () => closed,
    close() {
      closed = new Promise((resolve) => {
        open = resolve;
      });
    },
    open() {
      closed = undefined;
      open();
    },
  };
}

/** Resolves when all connections are closed. One that was not used for `idleMs` is closed. */
export async function drain(server: Server, connections: Connections, gate: AnswerGate, idleMs: number): Promise<void> {
  const startedAt = performance.now();
  gate.close();
  await nobodyConnects(connections);
  let closed = false;
  // http.Server.close() would reset connections on which a request is on its way.
  NetServer.prototype.close.call(server, () => {
    closed = true;
  });
  gate.open();
  while (!closed) {
    const now = performance.now();
    if (now - startedAt >= idleMs) connections.closeIdle(now - idleMs);
    await sleep(POLL_MS);
  }
}

/**
 * The system resets connections that wait to be accepted when a server stops listening. Callers connect when they have
 * got an answer that closes their connection. So while answers are held back, soon nobody connects.
 */
async function nobodyConnects(connections: Connections): Promise<void> {
  const startedAt = performance.now();
  const isQuiet = () => performance.now() - Math.max(startedAt, connections.newestAt()) > QUIET_MS;
  while (!isQuiet() && performance.now() - startedAt < MOST_HELD_MS) await sleep(5);
  // After a poll phase of the event loop no connection waits. The second one has little else to do.
  await new Promise(setImmediate);
  await new Promise(setImmediate);
}
