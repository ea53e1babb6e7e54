import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { groupsOf, plainAddress } from '../../serve/http-api/addresses.ts';
import type { HttpApiOptions } from '../../serve/http-api/http-api.ts';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { rawSocket, until } from '../support/raw-socket.ts';

const slow = 'GET /patient/5000 HTTP/1.1\r\nhost: a\r\n\r\n';
const get = 'GET /open HTTP/1.1\r\nhost: a\r\n\r\n';
const half = 'POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{';

/** The header stands for a proxy: the client's address is in it. */
const byHeader: HttpApiOptions['sourceIp'] = ({ headers }) => String(headers['x-from'] ?? '127.0.0.1');

function call(port: number, path: string, from: string): Promise<[number | undefined, string | undefined]> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, path, headers: { 'x-from': from }, agent: false }, (answer) => {
      answer.resume();
      resolve([answer.statusCode, answer.headers['retry-after']]);
    });
    onTestFinished(() => void outgoing.destroy());
    outgoing.on('error', reject);
    outgoing.end();
  });
}

test('more calls at once of one address are 429, and those of others are served', async () => {
  const api = await fixtureApi({ sourceIp: byHeader, limits: { concurrent: 10, concurrentPerAddress: 2 } });
  const held = [1, 2].map(() => call(api.port, '/patient/1500', '10.0.0.1'));
  await until(() => api.counts().calls.running === 2);
  expect(await call(api.port, '/open', '10.0.0.1')).toEqual([429, '1']);
  expect(await call(api.port, '/open', '10.0.0.2')).toEqual([200, undefined]);
  expect((await Promise.all(held)).map(([status]) => status)).toEqual([200, 200]);
  expect(await call(api.port, '/open', '10.0.0.1')).toEqual([200, undefined]);
  expect(api.counts().calls).toEqual({ running: 0, refused: { address: 1, full: 0 } });
});

test('more calls at once in all are 503', async () => {
  const api = await fixtureApi({ sourceIp: byHeader, limits: { concurrent: 2, concurrentPerAddress: 2 } });
  const held = ['10.0.0.1', '10.0.0.2'].map((from) => call(api.port, '/patient/1500', from));
  await until(() => api.counts().calls.running === 2);
  expect(await call(api.port, '/open', '10.0.0.3')).toEqual([503, '1']);
  expect((await Promise.all(held)).map(([status]) => status)).toEqual([200, 200]);
});

test('calls that one connection sends without waiting are counted one by one', async () => {
  const api = await fixtureApi({ limits: { concurrent: 10, concurrentPerAddress: 2 } });
  const socket = await rawSocket(api.port);
  socket.send('GET /patient/200 HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(5));
  await until(() => socket.text().split('HTTP/1.1 ').length === 6);
  expect(socket.answers().map(({ status }) => status)).toEqual([200, 200, 429, 429, 429]);
});

test('one IPv6 network is one caller, however many addresses it has', async () => {
  const api = await fixtureApi({ sourceIp: byHeader, limits: { concurrent: 10, concurrentPerAddress: 2 } });
  const held = [1, 2].map((host) => call(api.port, '/patient/1500', `2001:db8:0:7::${host}`));
  await until(() => api.counts().calls.running === 2);
  expect((await call(api.port, '/open', '2001:db8:0:7::3'))[0]).toBe(429);
  expect((await call(api.port, '/open', '2001:db8:0:8::3'))[0]).toBe(200);
  await Promise.all(held);
});

test('a /48 may use twice as much as one /64 of it', () => {
  expect(groupsOf('2001:db8::1')).toEqual([
    { group: '2001:db8:0:0/64', factor: 1 },
    { group: '2001:db8:0/48', factor: 2 },
  ]);
  expect(groupsOf(plainAddress('2001:0DB8:0:0:1::'))).toEqual(groupsOf('2001:db8::1'));
  expect(groupsOf('10.0.0.1')).toEqual([{ group: '10.0.0.1', factor: 1 }]);
});

test('when one address has too many half-sent requests, the first of them is given up', async () => {
  const { port } = await fixtureApi({ limits: { concurrentPerAddress: 3 } });
  const first = await rawSocket(port);
  first.send(half);
  const others = await Promise.all([1, 2].map(() => rawSocket(port)));
  for (const socket of others) socket.send(half);
  await until(() => others.every((socket) => !socket.isClosed()) && !first.isClosed());
  const next = await rawSocket(port);
  next.send(half);
  await first.closed;
  expect(first.answers().map(({ status }) => status)).toEqual([429]);
  expect([...others, next].map((socket) => socket.isClosed())).toEqual([false, false, false]);
});

test('a new connection of an address closes its connection that did nothing for the longest time', async () => {
  const api = await fixtureApi({ limits: { connectionsPerAddress: 3 } });
  const busy = await rawSocket(api.port);
  busy.send(slow);
  await until(() => api.counts().calls.running === 1);
  const idle = await rawSocket(api.port);
  const used = await rawSocket(api.port);
  used.send(get);
  await until(() => used.text().includes('"event"'));
  const next = await rawSocket(api.port);
  next.send(get);
  await idle.closed;
  await until(() => next.text().includes('"event"'));
  expect([busy, used, next].map((socket) => socket.isClosed())).toEqual([false, false, false]);
  expect(api.counts().connections).toMatchObject({ open: 3, dropped: { address: 1, full: 0 } });
});

test('when all connections of an address run calls, a new one is not accepted', async () => {
  const api = await fixtureApi({ limits: { connectionsPerAddress: 2 } });
  const busy = await Promise.all([1, 2].map(() => rawSocket(api.port)));
  for (const socket of busy) socket.send(slow);
  await until(() => api.counts().calls.running === 2);
  await (await rawSocket(api.port)).closed;
  expect(busy.map((socket) => socket.isClosed())).toEqual([false, false]);
  const other = await rawSocket(api.port, '127.0.0.2');
  other.send(get);
  await until(() => other.text().includes('"event"'));
});

test('when all places are taken, the address with the most connections loses one', async () => {
  const api = await fixtureApi({ limits: { connections: 10 } });
  const few = await rawSocket(api.port, '127.0.0.3');
  const many = await Promise.all(Array.from({ length: 9 }, () => rawSocket(api.port)));
  await until(() => api.counts().connections.open === 10);
  const next = await rawSocket(api.port, '127.0.0.2');
  next.send(get);
  await until(() => next.text().includes('"event"') && many.some((socket) => socket.isClosed()));
  expect([few.isClosed(), many.filter((socket) => socket.isClosed()).length]).toEqual([false, 1]);
  expect(api.counts().connections).toMatchObject({ open: 10, dropped: { full: 1 } });
});

test('connections of a trusted proxy are not counted for its address', async () => {
  const isProxy = (address: string) => address === '127.0.0.1';
  const api = await fixtureApi({ isProxy, limits: { connections: 100, connectionsPerAddress: 2 } });
  const sockets = await Promise.all(Array.from({ length: 20 }, () => rawSocket(api.port)));
  for (const socket of sockets) socket.send(get);
  await until(() => sockets.every((socket) => socket.text().includes('"event"')));
  expect(api.counts().connections).toMatchObject({ open: 20, dropped: { address: 0 } });
});
