// A public app's server for the SDK's tests: it verifies each token by the published rules, keeps sessions, and answers
// as the real one does. A test may answer in its place.
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { problem, type ScriptedAnswer } from './client-server.ts';
import { judge, sessionKey } from './session-token-rules.ts';

export const APP_ID = '6f1c1f0e-5d0b-4c57-9a55-0c6a6e0d7b21';

export interface ServedCall {
  route: string;
  /** As it was sent, without `?`. */
  query: string;
  /** `forged`: the gateway refused it. */
  proof: 'named' | 'session' | 'forged';
  /** '' unless the proof is `session`. */
  session: string;
  body: Record<string, unknown>;
  headers: IncomingHttpHeaders;
}

export interface SessionServer {
  url: string;
  calls: ServedCall[];
  /** Answers in place of the server; undefined: the server answers. */
  instead: (call: ServedCall) => ScriptedAnswer | undefined | Promise<ScriptedAnswer | undefined>;
  /** Milliseconds. */
  now: number;
  signingKey: string;
  /** Who stands behind a WeChat code. */
  wechatUser: string;
  alive: Set<string>;
  /** Ends all sessions. */
  revokeAll(): void;
  routes(): string[];
  close(): Promise<void>;
}

export const userId = (name: string): string => name.padEnd(22, '_').slice(0, 22);
const forbidden: ScriptedAnswer = { status: 403, body: { message: 'Forbidden' } };

export async function startSessionServer(): Promise<SessionServer> {
  const used = new Set<string>();
  const passwords = new Map<string, string>();

  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const answer = await answerTo(request.method ?? '', request.url ?? '', request.headers, Buffer.concat(chunks));
      if (answer.drop) return request.socket.destroy();
      const headers = { 'content-type': 'application/json', date: new Date(server.now).toUTCString() };
      response.writeHead(answer.status, { ...headers, ...answer.headers });
      response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
    });
  });

  async function answerTo(method: string, url: string, headers: IncomingHttpHeaders, raw: Buffer) {
    const [path = '', query = ''] = url.split('?');
    const signed = { method, path: decodeURIComponent(path), query, headers };
    const judged = judge(signed, [server.signingKey], Math.floor(server.now / 1000));
    const body = raw.length === 0 ? {} : JSON.parse(raw.toString('utf8'));
    const proof = judged?.proof ?? 'forged';
    const session = judged?.session ?? '';
    const call: ServedCall = { route: `${method} ${path}`, query, proof, session, body, headers };
    server.calls.push(call);
    const scripted = await server.instead(call);
    if (scripted) return scripted;
    if (judged === null || judged.appId !== APP_ID) return forbidden;
    if (raw.length > 0 && proof === 'session' && headers['x-content-sha256'] !== hashOf(raw))
      return problem(401, 'BODY_HASH_MISMATCH');
    if (proof === 'session' && used.has(judged.signature)) return problem(401, 'REPLAYED');
    used.add(judged.signature);
    if (proof === 'session' && !server.alive.has(call.session)) return problem(401, 'SESSION_REVOKED');
    return handled(call);
  }

  function handled(call: ServedCall): ScriptedAnswer {
    const { route, body, session } = call;
    const [user = ''] = session.split('.');
    if (route === 'POST /login/wechat') return opened(server.wechatUser, session);
    if (route === 'POST /login') {
      const known = passwords.get(String(body.account)) ?? 'right';
      return body.password === known ? opened(String(body.account), session) : problem(401, 'BAD_CREDENTIALS');
    }
    if (route === 'POST /accounts') return { status: 201, body: { userId: userId(String(body.account)) } };
    if (session === '') return problem(401, 'LOGIN_REQUIRED');
    if (route === 'GET /me')
      return { status: 200, body: { userId: user, account: user.replace(/_+$/, ''), profile: {} } };
    if (route === 'PUT /me/password') {
      passwords.set(user.replace(/_+$/, ''), String(body.newPassword));
      return { status: 204 };
    }
    if (route === 'POST /logout' || route === 'DELETE /me') {
      server.alive.delete(session);
      return { status: 204 };
    }
    if (route === 'POST /recharge') return { status: 201, body: { orderNo: 'o1', status: 'pending', payment: {} } };
    if (route.endsWith('/sync')) return { status: 200, body: { orderNo: 'o1', status: 'paid' } };
    if (route === 'POST /balance/spend') return { status: 201, body: { balance: 1, asset: 'coins', ref: 'r' } };
    return { status: 200, body: { ok: true } };
  }

  /** A login that is signed by a session takes that session's place. */
  function opened(name: string, former: string): ScriptedAnswer {
    const session = `${userId(name)}.${randomBytes(16).toString('base64url')}`;
    server.alive.delete(former);
    server.alive.add(session);
    const key = sessionKey(server.signingKey, APP_ID, session);
    const serverTime = new Date(server.now).toISOString();
    const user = { userId: userId(name), account: name, profile: {} };
    return { status: 200, body: { session, key, expiresAt: serverTime, serverTime, user, deviceMark: 'm'.repeat(22) } };
  }

  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const server: SessionServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    calls: [],
    instead: () => undefined,
    now: Date.parse('2026-11-24T06:00:00Z'),
    signingKey: randomBytes(32).toString('hex'),
    wechatUser: 'wechat-user',
    alive: new Set(),
    revokeAll: () => server.alive.clear(),
    routes: () => server.calls.map(({ route, proof }) => `${route} ${proof}`),
    close: () => {
      http.closeAllConnections();
      return new Promise((resolve) => http.close(() => resolve()));
    },
  };
  return server;
}

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
