import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What to do when a connection closes, for each response that it still owes. */
const owed = new WeakMap<Socket, Set<() => void>>();

/**
 * Aborts when the caller closes its connection before it has the whole answer. A caller may send requests without
 * waiting for the answers. Node gives the socket to the first response only, so the others do not emit `close` when it
 * closes: the socket itself is watched.
 */
export function callerGone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const { socket } = response.req;
  const leave = (): void => {
    if (!response.writableFinished) controller.abort();
  };
  if (response.closed || socket.destroyed) {
    leave();
    return controller.signal;
  }
  const leaving = leaveWithSocket(socket);
  leaving.add(leave);
  response.once('close', () => {
    leaving.delete(leave);
    leave();
  });
  return controller.signal;
}

/** One listener for each socket: Node warns of more than ten. */
function leaveWithSocket(socket: Socket): Set<() => void> {
  const known = owed.get(socket);
  if (known) return known;
  const leaving = new Set<() => void>();
  owed.set(socket, leaving);
  socket.once('close', () => {
    for (const leave of leaving) leave();
  });
  return leaving;
}

/** For work that has no caller. All such work at one time listens to it: Node would warn of more than ten. */
export const NEVER_GONE: AbortSignal = new AbortController().signal;
setMaxListeners(0, NEVER_GONE);
