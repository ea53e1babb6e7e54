import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { send, TransportError } from '../../shared/transport.ts';

const request = (port: number, path: string, timeoutMs: number) =>
  send({ url: new URL(`http://127.0.0.1:${port}${path}`), method: 'GET', headers: {}, timeoutMs, repeatable: false });

test('an answer that arrived while the process was busy is used; one that never arrived is a timeout', async () => {
  let received = (): void => {};
  const isReceived = new Promise<void>((resolve) => {
    received = resolve;
  });
  const server = createServer((incoming, outgoing) => {
    received();
    if (incoming.url === '/') setTimeout(() => outgoing.end('here'), 60);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const startedAt = performance.now();
    const answer = request(port, '/', 2_000);
    await isReceived;
    // A password hash takes longer than the rest of the time limit.
    while (performance.now() - startedAt < 2_100);
    expect((await answer).body.toString()).toBe('here');
    await expect(request(port, '/never', 100)).rejects.toBeInstanceOf(TransportError);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
