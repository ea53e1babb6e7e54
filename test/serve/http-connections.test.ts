import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type ConnectionLimits, trackConnections } from '../../serve/http-api/connections.ts';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { rawSocket, until } from '../support/raw-socket.ts';

/** A server that answers each request with 200, with short times. */
async function tracked(limits: Partial<ConnectionLimits>, isProxy = (_: string) => false) {
  const server = createServer((request, response) => {
    const visit = connections.begin(request.socket);
    response.once('close', () => visit.end());
    response.end('ok');
  });
  const none = Number.POSITIVE_INFINITY;
  const times = { idleWhenFewMs: 300, idleMs: none, unreadMs: none };
  const connections = trackConnections(server, { total: none, perAddress: none, ...times, ...limits }, isProxy);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    connections.stop();
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections };
}

const open = (port: number, count: number, from = '127.0.0.1') =>
  Promise.all(Array.from({ length: count }, () => rawSocket(port, from)));
const get = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
/** Longer than two looks at the connections. */
const twoSweeps = () => new Promise((resolve) => setTimeout(resolve, 2_500));

test('connections at rest are closed early until their address has half of its places', async () => {
  const { port, connections } = await tracked({ perAddress: 4 });
  const sockets = await open(port, 3);
  for (const socket of sockets) socket.send(get);
  await Promise.race(sockets.map((socket) => socket.closed));
  await twoSweeps();
  expect(connections.dropped()).toMatchObject({ idle: 1 });
  expect(connections.open()).toBe(2);
});

test('connections at rest are closed early when three quarters of all places are taken', async () => {
  const { port, connections } = await tracked({ total: 5 });
  const sockets = [...(await open(port, 2)), ...(await open(port, 2, '127.0.0.2'))];
  await Promise.race(sockets.map((socket) => socket.closed));
  expect(connections.dropped().idle).toBeGreaterThan(0);
});

test('connections at rest stay while there are places, and those of a trusted proxy always', async () => {
  const free = await tracked({ total: 100, perAddress: 10 });
  const proxied = await tracked({ total: 4 }, () => true);
  const sockets = [...(await open(free.port, 4)), ...(await open(proxied.port, 4))];
  for (const socket of sockets) socket.send(get);
  await twoSweeps();
  expect(sockets.map((socket) => socket.isClosed())).toEqual(sockets.map(() => false));
});

test('a connection that sends only empty lines is closed', async () => {
  const { port, connections } = await tracked({ idleMs: 300 });
  const [socket] = await open(port, 1);
  const lines = setInterval(() => socket?.send('\r\n'), 50);
  await socket?.closed;
  clearInterval(lines);
  expect(connections.dropped()).toMatchObject({ idle: 1 });
});

test('a client that does not read its answer loses its connection', async () => {
  const api = await fixtureApi({ limits: { requestSeconds: 1 } });
  const socket = await rawSocket(api.port);
  socket.pause();
  // More than the buffers of both systems take.
  const body = 'x'.repeat(5_000_000);
  const head = ['POST /open HTTP/1.1', 'host: a', 'content-type: text/plain', `content-length: ${body.length}`];
  socket.send(`${head.join('\r\n')}\r\n\r\n${body}`);
  await until(() => api.counts().connections.dropped.unread === 1);
});

test('a client that stops in the middle of what it sends after a refusal is closed', async () => {
  const { port } = await fixtureApi();
  const socket = await rawSocket(port);
  socket.send('nonsense\r\n\r\n');
  await socket.closed;
  expect(socket.text()).toMatch(/^HTTP\/1\.1 400 /);
});
