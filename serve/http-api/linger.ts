import type { Socket } from 'node:net';

/** How long a client may continue to send after it was refused. */
const LINGER_MS = 5_000;

/**
 * Closes a connection whose client may still send. If it were closed at once, the client's system would discard the
 * answer. So this end only stops writing; what arrives is read and dropped until the client closes too.
 */
export function endLingering(socket: Socket): void {
  socket.end();
  const late = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(late));
}
