import { beforeAll, describe, expect, test } from 'vitest';
import { OPEN_SCOPES, SCOPES } from '../../shared/app/app.ts';
import { registerPlugin } from '../../shared/plugin/admin.ts';
import { mintSession } from '../../shared/session/token.ts';
import { type RouteRow, signedRoutes } from '../support/every-route.ts';
import { inventedSession, openedSession, publicHeaders } from '../support/public-app.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

/**
 * Every route that has the authorizer, called by public apps: with everything open and with nothing open, by name and by
 * a session, living and dead. What has to happen is computed from the declarations.
 */
type Signer = 'nobody' | 'nobody, with a bearer token' | 'a living session' | 'a session that nobody opened';
const SIGNERS: readonly Signer[] = [
  'nobody',
  'nobody, with a bearer token',
  'a living session',
  'a session that nobody opened',
];

let stack: TestStack;
let open: string;
let shut: string;
const bearers = new Map<string, string>();
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  const methods = ['SESSION-HMAC-SHA256'] as const;
  open = (await stack.createApp({ methods, scopes: [...SCOPES, ...OPEN_SCOPES] })).appId;
  shut = (await stack.createApp({ methods, scopes: SCOPES })).appId;
  for (const appId of [open, shut]) {
    const opened = await openedSession(stack, appId);
    const { token, sessionId } = mintSession(appId, opened.userId);
    await stack.mysql.execute(
      `INSERT INTO sessions (app_id, user_id, session_id, user_version, idle_until, ends_at)
       VALUES (?, ?, ?, 1, NOW(3) + INTERVAL 1 DAY, NOW(3) + INTERVAL 1 DAY)`,
      [appId, opened.userId, sessionId],
    );
    bearers.set(appId, token);
  }
  await registerPlugin({ pluginId: 'shop', serverUrl: 'http://127.0.0.1:1/push' });
  // The functions know the apps and the plugin now, so the counters below are about the calls.
  for (const row of signedRoutes) for (const appId of [open, shut]) await call(appId, 'nobody', row);
});

async function call(appId: string, signer: Signer, row: RouteRow) {
  const session =
    signer === 'a living session'
      ? // A logout ends it, so each call gets its own.
        await openedSession(stack, appId)
      : signer === 'a session that nobody opened'
        ? inventedSession(stack.env.SIGNING_KEY ?? '', appId)
        : undefined;
  const { method, path, query, body } = row;
  const bearer = bearers.get(appId) ?? '';
  const headers = {
    ...row.headers,
    ...(signer === 'nobody, with a bearer token' && { authorization: `Bearer ${bearer}` }),
  };
  const signed = publicHeaders(appId, session, { method, path, ...(query && { query }), body, headers });
  return stack.send(method, query ? `${path}?${query}` : path, signed, body && JSON.stringify(body));
}

/** undefined: the call is not refused for who makes it. */
function expectedCode(row: RouteRow, signer: Signer, isOpen: boolean): string | undefined {
  const mayEnter = isOpen && row.open !== undefined && row.auth === 'app';
  if (row.ownApp || (row.entry && !mayEnter)) return 'SCOPE_DENIED';
  if (signer === 'a session that nobody opened') return 'LOGIN_EXPIRED';
  if (signer === 'a living session' || mayEnter) return undefined;
  return 'LOGIN_REQUIRED';
}
const REFUSALS = ['SCOPE_DENIED', 'SIGNATURE_TOO_WEAK', 'LOGIN_REQUIRED', 'LOGIN_EXPIRED', 'SESSION_REVOKED'];

describe.each(signedRoutes)('$route', (row) => {
  test.each(SIGNERS)('signed by %s is refused exactly where the declaration says so', async (signer) => {
    for (const [appId, isOpen] of [
      [open, true],
      [shut, false],
    ] as const) {
      const code = expectedCode(row, signer, isOpen);
      const isFree = signer.startsWith('nobody') && code !== undefined;
      // Records of apps and plugins are warm after the first call.
      if (isFree) await call(appId, signer, row);
      await stack.resetCounters();
      const answer = await call(appId, signer, row);
      expect(answer.text).not.toBe('{"message":"Forbidden"}');
      const found = REFUSALS.includes(answer.body?.code) ? answer.body.code : undefined;
      expect([isOpen, found, answer.body?.code]).toEqual([isOpen, code, code ?? answer.body?.code]);
      if (isFree) {
        const { redisRequests, mysqlRequests } = await stack.counters();
        expect([redisRequests, mysqlRequests]).toEqual([0, 0]);
      }
    }
  });
});

test('who only names the app learns of no plugin, and asks no engine for one', async () => {
  const row = signedRoutes.find(({ route }) => route === 'POST /plugins/{pluginId}/token') as RouteRow;
  await stack.resetCounters();
  const answer = await call(open, 'nobody', { ...row, path: '/plugins/nobody-has-this/token' });
  expect(answer.body.code).toBe('LOGIN_REQUIRED');
  expect(await stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
});

test('the routes that may be open are those of the documents', () => {
  const opened = signedRoutes.flatMap(({ route, open: scope }) => (scope ? [`${route}: ${scope}`] : []));
  expect(opened.sort()).toEqual([
    'GET /data/{resource}/{id}: open:data',
    'GET /data/{resource}: open:data',
    'POST /accounts: open:register',
    'POST /login/channel/enter: open:channel',
    'POST /login/channel/verify: open:channel',
    'POST /login/channel: open:channel',
    'POST /login/reset: open:password',
    'POST /login/wechat: open:wechat',
    'POST /login: open:password',
  ]);
});
