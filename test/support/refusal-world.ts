import { expect } from 'vitest';
import { type ReplayRecord, signatureRecord } from '../../shared/admission/replay-record.ts';
import { SCOPES, type Scope } from '../../shared/app/app.ts';
import { blockTarget } from '../../shared/lock/admin.ts';
import { registerPlugin } from '../../shared/plugin/admin.ts';
import { mintSession, newUserId } from '../../shared/session/token.ts';
import { type RouteRow, signedRoutes } from './every-route.ts';
import { bytesOf, type HttpAnswer, type HttpCall, sendCall, signedHeaders } from './http-call.ts';
import { startTestStack, type TestApp, type TestStack } from './stack.ts';

/** The ways in which a call can be wrong, in the order in which they are reported. */
export const DEFECTS = [
  ['scope', 'SCOPE_DENIED', 403],
  ['weak', 'SIGNATURE_TOO_WEAK', 403],
  ['large', 'TOO_LARGE', 413],
  ['hash', 'BODY_HASH_MISMATCH', 401],
  ['input', 'INVALID_INPUT', 400],
  ['resource', 'UNKNOWN_', 404],
  ['login', 'LOGIN_REQUIRED', 401],
  ['replay', 'REPLAYED', 401],
  ['session', 'LOGIN_EXPIRED', 401],
  ['locked', 'LOCKED', 429],
] as const;
export type Defect = (typeof DEFECTS)[number][0];
/** From this defect on, a request to an engine is sent and the token is used up. */
export const FIRST_WITH_MEMORY = DEFECTS.findIndex(([name]) => name === 'replay');

/** Paths of a resource or plugin that does not exist. */
const MISSING: Record<string, string> = {
  'POST /plugins/{pluginId}/token': '/plugins/nobody/token',
  'GET /data/{resource}': '/data/nothing',
  'GET /data/{resource}/{id}': '/data/nothing/1',
  'POST /data/{resource}': '/data/notice',
  'PUT /data/{resource}/{id}': '/data/nothing/1',
  'DELETE /data/{resource}/{id}': '/data/voucher/1',
};

export function defectsOf(row: RouteRow): Defect[] {
  const applies = ([name]: (typeof DEFECTS)[number]): boolean => {
    if (name === 'weak') return row.v2Only;
    if (name === 'resource') return row.route in MISSING;
    return row.auth === 'user' || (name !== 'login' && name !== 'session');
  };
  return DEFECTS.filter(applies).map(([name]) => name);
}

export interface RefusalWorld {
  stack: TestStack;
  /** An app with every scope. */
  app: TestApp;
  /** The push secret of the plugin `shop`. Its server is not running. */
  pushSecret: string;
  newUser(app?: TestApp): Promise<{ userId: string; session: string }>;
  /** A call of this route with these defects and no others. */
  callWith(row: RouteRow, defects: readonly Defect[], session: string): HttpCall;
  send(call: HttpCall): Promise<HttpAnswer>;
  /** A call of this route with any body, path or query, and a valid signature of them. */
  callOf(row: RouteRow, session: string, body: Uint8Array | undefined, sent?: Sent): HttpCall;
}

interface Sent {
  path?: string;
  query?: string;
  headers?: Record<string, string>;
  signature?: 'v1' | 'v2';
}

/** The service with a plugin `shop`, and two apps that are refused: one without scopes, one blocked on every route. */
export async function startRefusalWorld(): Promise<RefusalWorld> {
  const stack = await startTestStack({ seeded: true });
  const { pushSecret } = await registerPlugin({ pluginId: 'shop', serverUrl: 'http://127.0.0.1:1/push' });
  const make = (scopes: readonly Scope[]) => stack.createApp({ scopes, validates: 'shop' });
  const [app, bare, blocked, blockedBare] = await Promise.all([make(SCOPES), make([]), make(SCOPES), make([])]);
  for (const { route } of signedRoutes) {
    for (const { appId } of [blocked, blockedBare]) {
      await blockTarget({ target: route, seconds: 600, app: appId, user: '', ip: '' }, 'test');
    }
  }

  function appFor(defects: readonly Defect[]): TestApp {
    if (defects.includes('locked')) return defects.includes('scope') ? blockedBare : blocked;
    return defects.includes('scope') ? bare : app;
  }

  async function newUser(of = app) {
    const userId = newUserId();
    await stack.mysql.execute(`INSERT INTO users (user_id, profile) VALUES (?, '{}')`, [userId]);
    const { token: session, sessionId } = mintSession(of.appId, userId);
    await stack.mysql.execute(
      `INSERT INTO sessions (app_id, user_id, session_id, user_version, idle_until, ends_at)
       VALUES (?, ?, ?, 1, NOW(3) + INTERVAL 1 DAY, NOW(3) + INTERVAL 1 DAY)`,
      [of.appId, userId, sessionId],
    );
    return { userId, session };
  }

  /** `session` is valid for the app. A blocked app's user needs another one, for which only the row is missing. */
  function callWith(row: RouteRow, defects: readonly Defect[], session: string): HttpCall {
    const has = (defect: Defect) => defects.includes(defect);
    const caller = appFor(defects);
    const path = (has('resource') && MISSING[row.route]) || row.path;
    const query = [row.query, has('input') ? 'surplus=1' : undefined].filter(Boolean).join('&');
    const right = row.body && bytesOf(row.body);
    const body = has('large') ? Buffer.alloc(64 * 1024 + 1, ' ') : right;
    const headers = {
      ...row.headers,
      ...signedHeaders(caller, {
        method: row.method,
        path,
        query,
        signature: has('weak') ? 'v1' : 'v2',
        body: has('hash') ? '{"another":"body"}' : body,
      }),
      ...(row.auth === 'user' && !has('login') && { authorization: `Bearer ${session}` }),
    };
    return { method: row.method, target: query ? `${path}?${query}` : path, headers, body };
  }

  function callOf(row: RouteRow, session: string, body: Uint8Array | undefined, sent: Sent = {}): HttpCall {
    const { query = row.query ?? '', path = row.path, headers = {}, signature = 'v2' } = sent;
    const { method } = row;
    return {
      method,
      body,
      target: query ? `${encodeURI(path)}?${query}` : encodeURI(path),
      headers: {
        ...row.headers,
        ...signedHeaders(app, { method, path, query, body, signature }),
        ...(row.auth === 'user' && { authorization: `Bearer ${session}` }),
        ...headers,
      },
    };
  }

  return { stack, app, pushSecret, callOf, newUser, callWith, send: (call) => sendCall(stack.url, call) };
}

/** The replay record of a call by its signature. */
export function recordOf(call: HttpCall): ReplayRecord {
  const token = JSON.parse(Buffer.from(call.headers['access-token'] ?? '', 'base64').toString('utf8'));
  return signatureRecord({ signature: token.signature, timeStamp: Number(token.timeStamp) });
}

const MEMBERS = ['code', 'detail', 'requestId', 'retryable', 'status', 'title', 'type'];

/** Every refusal of the service itself has this form and contains nothing else. */
export function expectProblem(answer: HttpAnswer, code: string, status: number): void {
  expect([answer.status, answer.body?.code]).toEqual([status, code]);
  const members = code === 'INVALID_INPUT' ? [...MEMBERS, 'errors'].sort() : MEMBERS;
  expect(Object.keys(answer.body).sort()).toEqual(members);
  const { body, headers } = answer;
  expect(body).toMatchObject({ type: `urn:miniapp-cloud:problem:${code}`, status, requestId: headers['x-request-id'] });
  expect([typeof body.title, typeof body.detail, typeof body.retryable]).toEqual(['string', 'string', 'boolean']);
  if (code === 'INVALID_INPUT') {
    expect(body.errors.length).toBeGreaterThan(0);
    for (const error of body.errors) {
      expect(Object.keys(error).sort()).toEqual(['message', 'path']);
      expect([typeof error.message, typeof error.path]).toEqual(['string', 'string']);
    }
  }
  expect(headers).toMatchObject({ 'content-type': expect.stringMatching(/^application\/problem\+json/) });
  expect(headers['cache-control']).toBe('no-store');
  expect(headers['x-request-id']).toMatch(/^[\w-]{15}=$/);
}
