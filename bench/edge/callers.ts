import { createHash, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { runProgram, type SelfHosted } from '../self-hosted.ts';
import { accessToken } from '../traffic.ts';

/** Who calls. Only routes, headers and commands that the documents promise are used, so that any version can serve. */
interface Keys {
  appId: string;
  privateKey: string;
}

export interface Caller {
  keys: Keys;
  /** A direct client has this address. Others come through the trusted proxy, which forwards `forwarded`. */
  direct?: string;
  forwarded?: string;
  session?: string;
  account?: string;
}

interface Call {
  method: string;
  path: string;
  body?: object;
  /** Signs with SHA-1, which covers neither the route nor the body. */
  v1?: boolean;
}

export interface Answer {
  /** 0: no answer. */
  status: number;
  milliseconds: number;
  text: string;
}

const GIVE_UP_MS = 5_000;
const PROXY = '127.0.0.1';
const PASSWORD = 'correct-horse-9-battery';
const proxied = new Agent({ keepAlive: true, maxSockets: 512, localAddress: PROXY });

export async function createKeys(served: SelfHosted, checkout: string, name: string): Promise<Keys> {
  const argv = ['app', 'create', '--name', name, '--json'];
  return JSON.parse(await runProgram(checkout, 'portal/main.ts', argv, served.env)) as Keys;
}

/** Creates an account for the caller, and opens its session. */
export async function enrol(url: string, caller: Caller, account: string): Promise<Caller> {
  const body = { account, password: PASSWORD };
  const created = await call(url, caller, { method: 'POST', path: '/accounts', body });
  if (created.status !== 201) throw new Error(`POST /accounts: ${created.status} ${created.text}`);
  const opened = await call(url, caller, { method: 'POST', path: '/login', body });
  if (opened.status !== 200) throw new Error(`POST /login: ${opened.status} ${opened.text}`);
  return { ...caller, account, session: (JSON.parse(opened.text) as { token: string }).token };
}

export const loginOf = ({ account = '' }: Caller): Call => ({
  method: 'POST',
  path: '/login',
  body: { account, password: PASSWORD },
});

export function call(url: string, caller: Caller, { method, path, body, v1 }: Call): Promise<Answer> {
  const text = body ? JSON.stringify(body) : '';
  const digest = createHash('sha256').update(text).digest('hex');
  const headers = {
    'access-token': v1 ? tokenV1(caller.keys) : accessToken(caller.keys, method, path, digest),
    ...(caller.session && { authorization: `Bearer ${caller.session}` }),
    ...(caller.forwarded && { 'x-forwarded-for': caller.forwarded }),
    ...(text && { 'x-content-sha256': digest, 'content-length': String(Buffer.byteLength(text)) }),
  };
  const way = caller.direct ? { agent: false as const, localAddress: caller.direct } : { agent: proxied };
  const startedAt = performance.now();
  return new Promise((resolve) => {
    let received = '';
    const done = (status: number) => resolve({ status, milliseconds: performance.now() - startedAt, text: received });
    const outgoing = request(url + path, { method, headers, timeout: GIVE_UP_MS, ...way }, (answer) => {
      answer.on('data', (chunk) => (received += chunk));
      answer.on('end', () => done(answer.statusCode ?? 0));
      answer.on('error', () => done(0));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => done(0));
    outgoing.end(text || undefined);
  });
}

function tokenV1({ appId, privateKey }: Keys): string {
  const timeStamp = String(Math.floor(Date.now() / 1000));
  const nonce = `n${randomBytes(12).toString('hex')}n`;
  const parts = [appId, timeStamp, nonce, privateKey].map((part) => Buffer.from(part)).sort(Buffer.compare);
  const signature = createHash('sha1').update(Buffer.concat(parts)).digest('hex');
  return Buffer.from(JSON.stringify({ signatureMethod: 'SHA1', AppID: appId, timeStamp, nonce, signature })).toString(
    'base64',
  );
}
