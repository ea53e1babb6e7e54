import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { send } from '../../shared/transport.ts';

async function server(answer: RequestListener) {
  let connections = 0;
  const listening = createServer(answer).on('connection', () => void connections++);
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    listening.close();
    listening.closeAllConnections();
  });
  const { port } = listening.address() as AddressInfo;
  const ask = (path: string, options: Partial<Parameters<typeof send>[0]> = {}) =>
    send({
      url: new URL(`http://127.0.0.1:${port}${path}`),
      method: 'POST',
      headers: {},
      timeoutMs: 20_000,
      repeatable: false,
      ...options,
    });
  return { ask, connections: () => connections };
}

test('a later call does not cut off a slow answer, and idle sockets are not used again', async () => {
  const { ask, connections } = await server(async (request, response) => {
    if (request.url === '/slow') await sleep(6_000);
    response.end('done');
  });
  const slow = ask('/slow');
  await ask('/');
  await sleep(4_500);
  expect((await ask('/')).body.toString()).toBe('done');
  expect((await slow).body.toString()).toBe('done');
  expect(connections()).toBe(3);
});

test('if only the status is needed, an endless body is cut off when it is too long', async () => {
  const { ask } = await server((_, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(10_000)));
    };
    response.writeHead(202).on('drain', more);
    more();
  });
  const answer = await ask('/', { bodyIgnored: true, maxAnswerBytes: 16_384 });
  expect([answer.status, answer.body.length]).toEqual([202, 0]);
});

test('if only the status is needed, it is returned although the body never ends', async () => {
  const { ask } = await server((_, response) => void response.writeHead(204).flushHeaders());
  expect((await ask('/', { bodyIgnored: true, timeoutMs: 500 })).status).toBe(204);
  const { ask: askDripping } = await server((_, response) => void response.writeHead(200).write('.'));
  expect((await askDripping('/', { bodyIgnored: true, timeoutMs: 500 })).status).toBe(200);
});

test('a call that waited for a socket and then got no answer counts as sent', async () => {
  const { ask, connections } = await server((request, response) => {
    if (request.url === '/last') request.socket.destroy();
    else setTimeout(() => response.end('done'), 100);
  });
  const first = Promise.all(Array.from({ length: 64 }, () => ask('/')));
  await expect(ask('/last')).rejects.toMatchObject({ reason: 'interrupted', sent: true });
  await first;
  expect(connections()).toBe(64);
});
