/** A client that sends and waits as it likes, from any loopback address. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { answersOf } from './raw-http.ts';

interface RawSocket {
  send(bytes: string): void;
  /** What has arrived, as answers. */
  answers(): ReturnType<typeof answersOf>;
  text(): string;
  /** Resolves when the server has ended the connection, in whatever way. */
  closed: Promise<void>;
  isClosed(): boolean;
  /** Reads nothing from now on. */
  pause(): void;
  destroy(): void;
}

/** `from`: on Linux every address of 127.0.0.0/8 is this machine. */
export async function rawSocket(port: number, from = '127.0.0.1'): Promise<RawSocket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  onTestFinished(() => void socket.destroy());
  let text = '';
  let ended = false;
  socket.on('data', (chunk) => (text += chunk));
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    const end = () => {
      ended = true;
      resolve();
    };
    socket.once('end', end);
    socket.once('close', end);
  });
  await once(socket, 'connect');
  return {
    send: (bytes) => void socket.write(bytes),
    answers: () => answersOf(text),
    text: () => text,
    closed,
    isClosed: () => ended,
    pause: () => void socket.pause(),
    destroy: () => void socket.destroy(),
  };
}

const AT_MOST_MS = 60_000;

/** Waits until a state is reached. */
export async function until(reached: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!reached()) {
    if (performance.now() - startedAt > AT_MOST_MS) throw new Error(`never reached: ${String(reached)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
