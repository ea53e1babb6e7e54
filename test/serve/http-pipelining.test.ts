import { expect, test } from 'vitest';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { rawSocket, until } from '../support/raw-socket.ts';

const get = 'GET /open HTTP/1.1\r\nhost: a\r\n\r\n';
const preflight = 'OPTIONS /open HTTP/1.1\r\nhost: a\r\norigin: https://h5.example.com\r\n\r\n';
const post = 'POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}';
const unknown = 'GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n';

test.each([
  ['calls', get, 200],
  ['calls with bodies', post, 200],
  ['preflights', preflight, 204],
  ['calls of unknown routes', unknown, 404],
])('of 5 000 %s that one connection sends at once some are answered, then 429', async (_, bytes, status) => {
  const { port } = await fixtureApi();
  const socket = await rawSocket(port);
  socket.send(bytes.repeat(5_000));
  await socket.closed;
  const answers = socket.answers();
  // At least 100: the first packets may be answered before the next ones are read.
  expect(answers.length).toBeGreaterThan(100);
  expect(answers.slice(0, -1).every((answer) => answer.status === status)).toBe(true);
  expect(answers.at(-1)).toMatchObject({ status: 429, head: expect.stringContaining('connection: close') });
});

test('a client that waits for its answers may send any number of calls', async () => {
  const { port } = await fixtureApi();
  const socket = await rawSocket(port);
  for (let round = 1; round <= 6; round++) {
    socket.send(get.repeat(50));
    await until(() => socket.text().split('HTTP/1.1 200').length === 50 * round + 1);
  }
  expect(socket.isClosed()).toBe(false);
});

test('calls of others are served while one connection sends without end', async () => {
  const { port, url } = await fixtureApi({ limits: { concurrent: 256, concurrentPerAddress: 64 } });
  const flood = await Promise.all(Array.from({ length: 20 }, () => rawSocket(port, '127.0.0.2')));
  for (const socket of flood) {
    socket.pause();
    socket.send(get.repeat(20_000));
  }
  for (let call = 0; call < 10; call++) expect((await fetch(`${url}/open`)).status).toBe(200);
});
