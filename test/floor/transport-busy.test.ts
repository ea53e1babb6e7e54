import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { send, TransportError } from '../../shared/transport.ts';

const request = (port: number, path: string, timeoutMs: number) =>
  send({ url: new URL(`http://127.0.0.1:${port}${path}`), method: 'GET', headers: {}, timeoutMs, repeatable: false });

test('an answer that came while the process was busy is taken, one that never came is a timeout', async () => {
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === '/') setTimeout(() => outgoing.end('here'), 60);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const answer = request(port, '/', 300);
    // The request is out; then a password hash takes longer than the whole timeout.
    await sleep(20);
    const until = Date.now() + 600;
    while (Date.now() < until);
    expect((await answer).body.toString()).toBe('here');
    await expect(request(port, '/never', 100)).rejects.toBeInstanceOf(TransportError);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
