import { generateKeyPairSync } from 'node:crypto';
import { Agent, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { expect, onTestFinished, test } from 'vitest';
import { selfSignedCertificate } from '../../local/simulators/wechatpay/certificate.ts';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { rawSocket, until } from '../support/raw-socket.ts';

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`;

interface CallerOptions {
  port: number;
  pauseMs?: number;
  kept?: boolean;
  tls?: boolean;
  served: () => void;
}

/** Calls until its connection is refused. Returns the errors of other kinds. */
async function caller({ port, pauseMs = 0, kept = true, tls = false, served }: CallerOptions): Promise<string[]> {
  const options = { keepAlive: kept, maxSockets: 1, rejectUnauthorized: false };
  const agent = tls ? new TlsAgent(options) : new Agent(options);
  onTestFinished(() => agent.destroy());
  const errors: string[] = [];
  for (;;) {
    const code = await new Promise<string>((resolve) => {
      const to = { port, host: '127.0.0.1', path: '/patient/5', agent };
      const outgoing = (tls ? tlsRequest : request)(to, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode === 200 ? '' : String(answer.statusCode)));
        answer.on('error', () => resolve('answer broke off'));
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      outgoing.end();
    });
    if (code === 'ECONNREFUSED') return errors;
    if (code === '') served();
    else errors.push(code);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

test.each([
  ['kept connections', {}],
  ['kept connections and pauses of 30 ms', { pauseMs: 30 }],
  ['kept connections and pauses of 300 ms', { pauseMs: 300 }],
  ['a connection for each call', { kept: false }],
  ['kept TLS connections', { tls: true }],
  ['kept TLS connections and pauses of 30 ms', { tls: true, pauseMs: 30 }],
])('20 callers with %s lose no call', async (_, kind) => {
  const api = await fixtureApi({ limits: { drainIdleSeconds: 2 }, ...('tls' in kind && { tls: certificate() }) });
  let served = 0;
  const callers = Array.from({ length: 20 }, () => caller({ port: api.port, served: () => served++, ...kind }));
  await until(() => served > 100);
  const stopped = api.stop();
  expect((await Promise.all(callers)).flat()).toEqual([]);
  await stopped;
});

function certificate(): { cert: string; key: string } {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const [from, to] = [-1, 1].map((days) => new Date(Date.now() + days * 86_400_000)) as [Date, Date];
  return { key, cert: selfSignedCertificate('localhost', '1234567890abcdef', key, from, to) };
}

test('clients that leave while answers are held back do not delay the end', async () => {
  const api = await fixtureApi({ limits: { drainIdleSeconds: 20 } });
  const sockets = await Promise.all(Array.from({ length: 20 }, () => rawSocket(api.port)));
  for (const socket of sockets) socket.send(get('/patient/500'));
  await until(() => api.counts().calls.running === 20);
  const stopped = api.stop();
  for (const socket of sockets) socket.destroy();
  await stopped;
  expect(api.counts().connections.open).toBe(0);
});

test('every kind of answer closes its connection as soon as the end is announced', async () => {
  const api = await fixtureApi();
  api.announceEnd();
  const preflight = 'OPTIONS /open HTTP/1.1\r\nhost: a\r\norigin: https://h5.example.com\r\n\r\n';
  const guarded = get('/guarded');
  for (const bytes of [get('/open'), get('/nowhere'), guarded, get('/answers/throws'), preflight, 'nonsense\r\n\r\n']) {
    const socket = await rawSocket(api.port);
    socket.send(bytes);
    await socket.closed;
    expect([bytes, socket.answers()[0]?.head]).toEqual([bytes, expect.stringContaining('connection: close')]);
  }
});

test('calls that were sent one behind the other are all answered', async () => {
  const api = await fixtureApi();
  const socket = await rawSocket(api.port);
  socket.send(get('/patient/300') + get('/patient/310') + get('/patient/320'));
  await until(() => api.counts().calls.running === 3);
  const stopped = api.stop();
  await socket.closed;
  await stopped;
  expect(socket.answers().map(({ status }) => status)).toEqual([200, 200, 200]);
  const closing = socket.answers().map(({ head }) => head.includes('connection: close'));
  expect(closing).toEqual([false, false, true]);
});

test('a connection at rest may still be used for a while, and is closed then', async () => {
  const api = await fixtureApi({ limits: { drainIdleSeconds: 2 } });
  const [used, unused] = [await rawSocket(api.port), await rawSocket(api.port)];
  for (const socket of [used, unused]) socket.send(get('/open'));
  await until(() => [used, unused].every((socket) => socket.text().includes('"event"')));
  const startedAt = performance.now();
  const stopped = api.stop();
  await new Promise((resolve) => setTimeout(resolve, 500));
  used.send(get('/open'));
  await used.closed;
  expect(used.answers().map(({ status }) => status)).toEqual([200, 200]);
  await unused.closed;
  expect(performance.now() - startedAt).toBeGreaterThan(1_900);
  await stopped;
});

test('a request whose head has begun is awaited', async () => {
  const api = await fixtureApi();
  const socket = await rawSocket(api.port);
  socket.send('GET /open HTTP/1.1\r\nho');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const stopped = api.stop();
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.send('st: a\r\n\r\n');
  await socket.closed;
  await stopped;
  expect(socket.answers().map(({ status }) => status)).toEqual([200]);
});
