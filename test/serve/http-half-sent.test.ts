import { describe, expect, test } from 'vitest';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { rawSocket, until } from '../support/raw-socket.ts';

/** Announces a body and sends one byte of it. */
const halfSent = (path: string, lines: string[] = []) =>
  [`POST ${path} HTTP/1.1`, 'host: a', 'content-length: 1000', ...lines, '', '{'].join('\r\n');
const guarded = halfSent('/guarded', ['access-token: allow']);
const get = 'GET /open HTTP/1.1\r\nhost: a\r\n\r\n';

test('requests that are half sent hold no turn: other calls are served', async () => {
  const { port, url, counts } = await fixtureApi({ limits: { concurrent: 1 } });
  const half = await Promise.all(Array.from({ length: 20 }, () => rawSocket(port)));
  for (const socket of half) socket.send(guarded);
  for (let call = 0; call < 10; call++) expect((await fetch(`${url}/open`)).status).toBe(200);
  expect(counts().calls).toMatchObject({ running: 0, refused: { address: 0, full: 0 } });
});

test('chunks that never end hold no turn', async () => {
  const { port, url } = await fixtureApi({ limits: { concurrent: 1 } });
  const socket = await rawSocket(port);
  socket.send('POST /open HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n');
  expect((await fetch(`${url}/open`)).status).toBe(200);
});

test('a body that arrives in single bytes is served when it is whole', async () => {
  const { port } = await fixtureApi({ limits: { concurrent: 1, bodyBytes: 3000 } });
  const socket = await rawSocket(port);
  socket.send('POST /open HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 2500\r\n\r\n');
  for (let byte = 0; byte < 2500; byte += 10) {
    socket.send(String(byte).padStart(10, '.'));
    await new Promise(setImmediate);
  }
  await until(() => socket.text().includes('"event"'));
  const { event } = JSON.parse(socket.answers()[0]?.body ?? '') as { event: { body: string } };
  expect([event.body.length, event.body.slice(-4)]).toEqual([2500, '2490']);
});

describe('is refused before its body, and then the connection is closed:', () => {
  test.each([
    ['an unknown route', halfSent('/nowhere'), 404],
    ['an unknown method', halfSent('/items/a/b'), 404],
    ['a route with a token, without one', halfSent('/guarded'), 401],
    ['an empty token', halfSent('/guarded', ['access-token: ']), 401],
    ['a target that cannot be decoded', halfSent('/%'), 400],
    ['headers that are too long', halfSent('/open', [`x-a: ${'a'.repeat(11_000)}`]), 431],
    ['a length over the limit', halfSent('/open').replace('1000', '1001'), 413],
  ])('%s', async (_, bytes, status) => {
    const { port } = await fixtureApi({ limits: { bodyBytes: 1000 } });
    const socket = await rawSocket(port);
    socket.send(bytes);
    await socket.closed;
    expect(socket.answers().map((answer) => answer.status)).toEqual([status]);
    expect(socket.answers()[0]?.head).toContain('connection: close');
  });

  test('the client gets the answer although it sends the whole body first', async () => {
    const { port } = await fixtureApi({ limits: { bodyBytes: 1000 } });
    const socket = await rawSocket(port);
    socket.send(`POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n${'x'.repeat(3_000_000)}`);
    await socket.closed;
    expect(socket.answers().map(({ status }) => status)).toEqual([404]);
  });

  test('a whole request with the same fault keeps its connection', async () => {
    const { port } = await fixtureApi();
    const socket = await rawSocket(port);
    socket.send(`POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}${get}`);
    await until(() => socket.text().includes('"event"'));
    expect(socket.answers().map(({ status }) => status)).toEqual([404, 200]);
  });
});

describe('a client that waits for 100 Continue', () => {
  const waits = (path: string) =>
    `POST ${path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n`;

  test('gets it before its body is read', async () => {
    const { port } = await fixtureApi();
    const socket = await rawSocket(port);
    socket.send(waits('/open'));
    await until(() => socket.text().includes('100 Continue'));
    socket.send('{}');
    await until(() => socket.text().includes('"event"'));
    expect(socket.answers().map(({ status }) => status)).toEqual([200]);
  });

  test('is refused without it', async () => {
    const { port } = await fixtureApi();
    const socket = await rawSocket(port);
    socket.send(waits('/nowhere'));
    await socket.closed;
    expect(socket.text()).toMatch(/^HTTP\/1\.1 404 /);
  });
});

describe('too slow', () => {
  test.each([
    ['a head', 'GET /open HTTP/1.1\r\nhost: a\r\nx-a'],
    ['a body', guarded],
    ['the chunks of a body', 'POST /open HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n'],
    ['nothing at all', ''],
  ])('%s is 408, and the connection is closed', async (_, bytes) => {
    const outcomes: unknown[] = [];
    const { port } = await fixtureApi({
      limits: { headSeconds: 1, requestSeconds: 1 },
      onAnswer: (outcome) => outcomes.push(outcome),
    });
    const socket = await rawSocket(port);
    socket.send(bytes);
    await socket.closed;
    expect(socket.answers().map(({ status, body }) => [status, body])).toEqual([
      [408, '{"message":"Request Timeout"}'],
    ]);
    expect(outcomes).toEqual([408]);
  });

  test('a body behind a good call: the good one is answered, then 408', async () => {
    const { port } = await fixtureApi({ limits: { headSeconds: 1, requestSeconds: 1 } });
    const socket = await rawSocket(port);
    socket.send(`GET /patient/1700 HTTP/1.1\r\nhost: a\r\n\r\n${guarded}`);
    await socket.closed;
    expect(socket.answers().map(({ status }) => status)).toEqual([200, 408]);
  });
});
