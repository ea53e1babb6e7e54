import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { GatewayFault } from '../../gateway/faults.ts';
import { type PluginServerSimulator, startPluginServer } from '../../local/simulators/plugin-server.ts';
import { everyRoute, type RouteRow, signedRoutes } from '../support/every-route.ts';
import { QUICK_HASH } from '../support/known-accounts.ts';
import { withOwnRecord } from '../support/own-record.ts';
import { type RefusalWorld, startRefusalWorld } from '../support/refusal-world.ts';

const vitess = (errno: number, state: string): GatewayFault => ({
  kind: 'status',
  status: 200,
  body: JSON.stringify({
    error: { code: 'UNKNOWN', message: `target: db.-.primary: vttablet: secret (errno ${errno}) (sqlstate ${state})` },
  }),
});
const page = (status: number): GatewayFault => ({
  kind: 'status',
  status,
  body: '<html>secret</html>',
  contentType: 'text/html',
});
const redisSays = (error: string): GatewayFault => ({ kind: 'status', status: 400, body: JSON.stringify({ error }) });

const NETWORK: Array<[string, GatewayFault]> = [
  ['is cut off before it is applied', { kind: 'drop-before' }],
  ['is cut off after it was applied', { kind: 'drop-after' }],
  ['is never answered', { kind: 'hang' }],
  ['gets 502 from a proxy', page(502)],
  ['gets a page with status 200', page(200)],
  ['gets JSON of another service', { kind: 'status', status: 200, body: '{"message":"secret"}' }],
];
const FAULTS: Array<['redis' | 'mysql', string, GatewayFault]> = [
  ...NETWORK.map(([name, fault]): ['redis', string, GatewayFault] => ['redis', name, fault]),
  ['redis', 'finds Redis full', redisSays('OOM command not allowed when used memory > maxmemory. secret')],
  ['redis', 'finds a replica', redisSays("READONLY You can't write against a read only replica. secret")],
  ...NETWORK.map(([name, fault]): ['mysql', string, GatewayFault] => ['mysql', name, fault]),
  ['mysql', 'meets a deadlock', vitess(1213, '40001')],
  ['mysql', 'waits too long for a lock', vitess(1205, 'HY000')],
  ['mysql', 'finds MySQL read-only', vitess(1290, 'HY000')],
  ['mysql', 'finds too many connections', vitess(1040, '08004')],
  ['mysql', 'loses its connection', vitess(2013, 'HY000')],
  ['mysql', 'gets an error of Vitess itself', vitess(1105, 'HY000')],
];

const WRONG_CODES = ['INTERNAL', 'LOGIN_EXPIRED', 'LOGIN_REQUIRED', 'SESSION_REVOKED', 'REPLAYED', 'UNKNOWN_RESOURCE'];

/**
 * The call that shows that the engines answer a function again, and its status, where the route itself computes a
 * password hash or ends the session. A new user makes it, so that it asks both engines.
 */
const PROBES: Record<string, [route: string, status: number]> = {
  // The proof is that of nobody.
  login: ['DELETE /me', 401],
  account: ['GET /me', 200],
  // One user may call it 20 times only.
  uploads: ['POST /uploads', 201],
};
/** Their calls take effect, so that faults meet each of their requests. */
const OWN_WRITES: Record<string, number> = {
  'POST /data/{resource}': 201,
  'PUT /data/{resource}/{id}': 200,
  'DELETE /data/{resource}/{id}': 204,
};
const LIMITS = { redis: 'REDIS_TIMEOUT_MS', mysql: 'MYSQL_TIMEOUT_MS' } as const;
/** Time limit for a request that is never answered. */
const HANG_MS = '80';

describe('when one request to an engine fails', () => {
  let world: RefusalWorld;
  let server: PluginServerSimulator;
  beforeAll(async () => {
    world = await startRefusalWorld();
    server = await startPluginServer({ pluginId: 'shop', pushSecrets: [world.pushSecret] });
    await world.stack.mysql.execute('UPDATE plugins SET server_url = ?', [server.pushUrl]);
  });
  afterAll(() => server?.stop());

  /**
   * A call of the route by `by`, or else by a new user: no rule has counted that user, and Redis has no copy of the
   * session.
   */
  async function callOf(row: RouteRow, by?: { userId: string; session: string }) {
    const { userId, session } = by ?? (await world.newUser());
    const account = randomUUID();
    if (row.body && ('password' in row.body || 'oldPassword' in row.body)) {
      const known = row.route === 'POST /accounts' ? randomUUID() : account;
      await world.stack.mysql.execute('UPDATE users SET account = ?, password_hash = ? WHERE user_id = ?', [
        ...[known, QUICK_HASH, userId],
      ]);
    }
    const own = { account, code: randomUUID(), channelUserId: randomUUID() };
    const changed = Object.entries(own).filter(([name]) => row.body && name in row.body);
    const route = await withOwnRecord(world.stack.mysql, row, userId);
    const body = row.body && { ...row.body, ...Object.fromEntries(changed) };
    return world.callWith({ ...route, ...(body && { body }) }, [], session);
  }

  /** Calls the route while request number `nth` to the engine fails, and with `on` all requests after it. */
  async function callUnder(row: RouteRow, engine: 'redis' | 'mysql', fault: GatewayFault, nth: number, on: boolean) {
    const request = await callOf(row);
    let seen = 0;
    world.stack.faults[engine] = () => {
      seen++;
      return seen === nth || (on && seen > nth) ? fault : undefined;
    };
    const before = process.env[LIMITS[engine]];
    if (fault.kind === 'hang') process.env[LIMITS[engine]] = HANG_MS;
    const answer = await world.send(request).finally(() => {
      world.stack.faults[engine] = undefined;
      process.env[LIMITS[engine]] = before;
    });
    return { answer, seen };
  }

  /**
   * Calls until both engines serve this function again. It may have stopped sending requests for two seconds; the clock
   * is moved past them.
   */
  async function recover(row: RouteRow, usual: number, by: { userId: string; session: string }): Promise<void> {
    const [name, expected] = PROBES[row.functionName] ?? [row.route, usual];
    let last = '';
    const probe = everyRoute.find(({ route }) => route === name) as RouteRow;
    try {
      for (let tries = 0; tries < 20; tries++) {
        vi.setSystemTime(Date.now() + 2_001);
        const { status, text } = await world.send(await callOf(probe, PROBES[row.functionName] ? undefined : by));
        last = `${status} ${text} instead of ${expected}`;
        if (status === expected) return;
      }
    } finally {
      vi.useRealTimers();
    }
    throw new Error(`the engines did not come back for ${row.route}: ${last}`);
  }

  /** The faults of the route before may have stopped requests to an engine that only this route needs. */
  async function usualStatus(row: RouteRow): Promise<number> {
    try {
      for (let tries = 0; tries < 20; tries++) {
        vi.setSystemTime(Date.now() + 2_001);
        const { status } = await world.send(await callOf(row));
        if (status < 500) return status;
      }
    } finally {
      vi.useRealTimers();
    }
    throw new Error(`${row.route} is not served`);
  }

  test.each(signedRoutes)(
    '$route answers 503 or its usual answer, never a wrong one and never 500',
    { timeout: 300_000 },
    async (row) => {
      const usual = await usualStatus(row);
      if (OWN_WRITES[row.route]) expect(usual).toBe(OWN_WRITES[row.route]);
      const prober = await world.newUser();
      const wrong: string[] = [];
      let met = 0;
      for (const [engine, name, fault] of FAULTS) {
        for (const on of fault.kind === 'drop-before' ? [false, true] : [false]) {
          // What an engine says is understood in one place. Where the line breaks matters at each request.
          const most = fault.kind === 'status' ? 1 : 4;
          for (let nth = 1; nth <= most; nth++) {
            const { answer, seen } = await callUnder(row, engine, fault, nth, on);
            if (seen < nth) break;
            met++;
            const what = `${row.route}: request ${nth} to ${engine}${on ? ' and all after it' : ''} ${name}`;
            const { status, text, body } = answer;
            const isUsual = status === usual;
            if (!isUsual && status !== 503) wrong.push(`${what}: ${status} ${text}`);
            if (!isUsual && WRONG_CODES.includes(body?.code)) wrong.push(`${what}: ${body.code}`);
            if (status === 503 && answer.headers['retry-after'] === undefined) wrong.push(`${what}: no retry-after`);
            if (text.includes('secret')) wrong.push(`${what}: contains ${text}`);
            // A write that took effect answers as usual, also if its requests after the commit found Redis down.
            if (status === 503 || on) await recover(row, usual, prober);
          }
        }
      }
      expect(wrong).toEqual([]);
      // Every route sends at least one request to Redis, so each fault of Redis took place.
      expect(met).toBeGreaterThanOrEqual(FAULTS.filter(([engine]) => engine === 'redis').length);
    },
  );
});
