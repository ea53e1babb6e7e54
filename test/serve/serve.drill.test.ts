import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { selfSignedCertificate } from '../../local/simulators/wechatpay/certificate.ts';
import { builtFolder } from '../support/built-folder.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
let folder: Awaited<ReturnType<typeof builtFolder>>;
beforeAll(async () => {
  folder = await builtFolder();
  stack = await startTestStack();
  app = await stack.createApp();
  await stack.mysql.query("INSERT INTO notices (id, title, body, published_at) VALUES (1, 'a', 'b', NOW())");
});

afterAll(() => folder.remove());

const program = resolve('serve/main.ts');
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Served {
  child: ChildProcess;
  url: string;
  admin: string;
  output: { text: string };
  exit: Promise<number | null>;
}

function spawnServe(argv: string[], environment: Record<string, string>) {
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...argv], {
    cwd: folder.path,
    env: { PATH: process.env.PATH, ...environment },
  });
  children.push(child);
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output.text += chunk));
  return { child, output, exit: new Promise<number | null>((resolve) => child.on('close', resolve)) };
}

/** `npm run serve` without npm, with the engines of this file. */
async function serve(environment: Record<string, string> = {}): Promise<Served> {
  const ports = ['--port', '0', '--admin-port', '0', '--no-schedules'];
  const started = spawnServe(ports, { ...stack.env, LOG: 'off', ...environment });
  while (!/^ready \S+$/m.test(started.output.text)) {
    if (started.child.exitCode !== null) throw new Error(started.output.text);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const printed = (name: string) => new RegExp(`^${name} (\\S+)$`, 'm').exec(started.output.text)?.[1] ?? '';
  return { ...started, url: printed('ready'), admin: printed('admin') };
}

const read = (url: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/data/notice/1`, { headers: { ...stack.sign(app, 'GET', '/data/notice/1'), ...headers } });

test('serve runs the functions, and reports when it is ready and which answers it gave', async () => {
  const front = await serve();
  expect((await read(front.url)).status).toBe(200);
  expect((await fetch(`${front.url}/metrics`)).status).toBe(404);
  expect(await (await fetch(`${front.admin}/ready`)).json()).toEqual({ ready: true });
  const metrics = await (await fetch(`${front.admin}/metrics`)).text();
  expect(metrics).toContain('miniapp_http_answers_total{status="2xx"} 1');
  expect(metrics).toMatch(/miniapp_http_seconds_bucket\{le="\+Inf"\} [12]/);
});

test('a running request is finished after SIGTERM, and the output holds no secret', async () => {
  const front = await serve({ MAX_CONCURRENT: '4' });
  const { port } = new URL(front.url);
  const body = JSON.stringify({ account: 'nobody', password: 'wrong-password-1' });
  const headers = stack.sign(app, 'POST', '/login', { body: { account: 'nobody', password: 'wrong-password-1' } });
  const answer = new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const head = ['POST /login HTTP/1.1', 'host: x', ...lines, `content-length: ${body.length}`].join('\r\n');
    socket.write(`${head}\r\n\r\n${body.slice(0, 5)}`);
    // The rest of the body is sent after SIGTERM.
    setTimeout(() => front.child.kill('SIGTERM'), 300);
    setTimeout(() => socket.write(body.slice(5)), 600);
  });
  expect(await answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(await front.exit).toBe(0);
  for (const secret of ['MASTER_KEY', 'SERVER_KEY', 'UPSTASH_REDIS_REST_TOKEN']) {
    expect(front.output.text).not.toContain(stack.env[secret]);
  }
});

test('bodies that are too large and requests that are too slow are refused, and do not stop other callers', async () => {
  const front = await serve({ MAX_BODY_BYTES: '1000', MAX_CONCURRENT: '2', HEAD_SECONDS: '1', REQUEST_SECONDS: '2' });
  const { port } = new URL(front.url);
  const token = { 'access-token': 'x' };
  const big = await fetch(`${front.url}/login`, { method: 'POST', headers: token, body: 'x'.repeat(1_001) });
  expect(big.status).toBe(413);

  const hold = (head: string) =>
    new Promise<{ ms: number; text: string }>((resolve, reject) => {
      const startedAt = performance.now();
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(head));
      let text = '';
      socket.on('data', (chunk) => (text += chunk));
      socket.on('error', reject);
      socket.on('close', () => resolve({ ms: performance.now() - startedAt, text }));
    });
  const slowBody = 'POST /login HTTP/1.1\r\nhost: x\r\naccess-token: x\r\ncontent-length: 100\r\n\r\n{';
  const slow = [hold(slowBody), hold(slowBody)];
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await read(front.url)).status).toBe(200);
  for (const { ms, text } of await Promise.all(slow)) {
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(ms).toBeLessThan(20_000);
  }
  expect((await hold('GET /health HTTP/1.1\r\nhost: x\r\nx-a')).text).toMatch(/^HTTP\/1\.1 408 /);
  expect((await read(front.url)).status).toBe(200);
});

/** A certificate of its own for localhost, in two files. */
function certificate() {
  const folder = mkdtempSync(join(tmpdir(), 'miniapp-tls-'));
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const day = 86_400_000;
  const serial = randomBytes(8).toString('hex').replace(/^./, '1');
  const cert = selfSignedCertificate('localhost', serial, key, new Date(Date.now() - day), new Date(Date.now() + day));
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  const remove = () => rmSync(folder, { recursive: true });
  return { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem'), remove };
}

test('serve answers HTTPS when it has a certificate', async () => {
  const { certFile, keyFile, remove } = certificate();
  const front = await serve({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
  expect(front.url).toMatch(/^https:/);
  const status = await new Promise((resolve, reject) => {
    const outgoing = httpsRequest(`${front.url}/health`, { rejectUnauthorized: false }, ({ statusCode }) =>
      resolve(statusCode),
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
  expect(status).toBe(200);
  remove();
});

test('a client that does not finish its TLS handshake is closed', async () => {
  const { certFile, keyFile, remove } = certificate();
  const front = await serve({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, HEAD_SECONDS: '1' });
  const socket = connect(Number(new URL(front.url).port), '127.0.0.1');
  socket.on('error', () => {});
  await new Promise((resolve) => socket.on('close', resolve));
  const metrics = await (await fetch(`${front.admin}/metrics`)).text();
  expect(metrics).toContain('miniapp_connections_dropped_total{reason="handshake"} 1');
  remove();
});

test('a proxy that is not trusted and a web page that is not allowed are reported, once', async () => {
  const front = await serve({ H5_ORIGINS: 'https://h5.example.com' });
  const headers = { 'x-forwarded-for': '1.2.3.4', origin: 'http://localhost:3001' };
  for (let call = 0; call < 2; call++) expect((await read(front.url, headers)).status).toBe(200);
  const allowed = await read(front.url, { origin: 'https://h5.example.com' });
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://h5.example.com');
  expect(front.output.text.match(/TRUSTED_PROXIES/g)).toHaveLength(1);
  expect(front.output.text.match(/"http:\/\/localhost:3001"/g)).toHaveLength(1);
});

test('an encoded slash is the slash: the same route, and the signature of the same path', async () => {
  const front = await serve();
  const encoded = (signed: string) =>
    fetch(`${front.url}/data/notice%2F1`, { headers: stack.sign(app, 'GET', signed) });
  expect((await encoded('/data/notice/1')).status).toBe(200);
  expect((await encoded('/data/notice/2')).status).toBe(403);
});

test('SIGTERM loses no call of 20 callers that keep their connections', async () => {
  const front = await serve();
  let served = 0;
  const lost: string[] = [];
  const caller = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (;;) {
      const outcome = await healthOver(agent, front.url);
      if (outcome === 'ECONNREFUSED') return agent.destroy();
      if (outcome === '200') served += 1;
      else lost.push(outcome);
    }
  };
  const callers = Array.from({ length: 20 }, caller);
  while (served < 200) await new Promise((resolve) => setTimeout(resolve, 10));
  front.child.kill('SIGTERM');
  await Promise.all(callers);
  expect(lost).toEqual([]);
  expect(await front.exit).toBe(0);
});

function healthOver(agent: Agent, url: string): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = request(`${url}/health`, { agent }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(String(answer.statusCode)));
      answer.on('error', () => resolve('answer broke off'));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    outgoing.end();
  });
}

test('--help works without any setting, and a wrong start reports all errors at once', async () => {
  const helped = spawnServe(['--help'], {});
  expect(await helped.exit).toBe(0);
  expect(helped.output.text).toContain('TRUSTED_PROXIES');
  const wrong = spawnServe(['--port', 'x'], {
    TRUSTED_PROXIES: '10.0.0.0/33',
    MAX_CONCURRENT: '0',
    MASTER_KEY: 'k',
    H5_ORIGINS: 'h5.example.com',
    FORWARDED_HEADER: 'x-real-ip',
    HEAD_SECONDS: '31',
  });
  expect(await wrong.exit).toBe(1);
  const parts = ['--port', 'TRUSTED_PROXIES: 10.0.0.0/33', 'MAX_CONCURRENT', 'SERVER_KEY is not set', 'HEAD_SECONDS'];
  for (const part of [...parts, 'h5.example.com is no origin', 'FORWARDED_HEADER']) {
    expect(wrong.output.text).toContain(part);
  }
  expect(wrong.output.text).not.toContain('MASTER_KEY');
});
