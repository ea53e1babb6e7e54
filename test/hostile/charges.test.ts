import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { GatewayFault } from '../../gateway/faults.ts';
import { type PluginServerSimulator, startPluginServer } from '../../local/simulators/plugin-server.ts';
import { setRule } from '../../shared/lock/admin.ts';
import { type RouteRow, signedRoutes } from '../support/every-route.ts';
import type { HttpCall } from '../support/http-call.ts';
import { QUICK_HASH } from '../support/known-accounts.ts';
import { lockCounters } from '../support/lock-counters.ts';
import { withOwnRecord } from '../support/own-record.ts';
import { type RefusalWorld, startRefusalWorld } from '../support/refusal-world.ts';

/** Charges follow fault: a call that ends in a 5xx is charged nothing. */
const READ_ONLY: GatewayFault = {
  kind: 'status',
  status: 200,
  body: JSON.stringify({
    error: { code: 'UNKNOWN', message: 'target: db.-.primary: x (errno 1290) (sqlstate HY000)' },
  }),
};
/** MySQL refuses the statement itself, which only a fault in our code can cause. */
const UNKNOWN_ERROR: GatewayFault = {
  kind: 'status',
  status: 200,
  body: JSON.stringify({
    error: { code: 'UNKNOWN', message: 'target: db.-.primary: x (errno 1146) (sqlstate 42S02)' },
  }),
};
const REDIS_FULL: GatewayFault = {
  kind: 'status',
  status: 400,
  body: JSON.stringify({ error: 'OOM command not allowed' }),
};

const routeOf = (name: string): RouteRow => signedRoutes.find(({ route }) => route === name) as RouteRow;

describe('a call that we fail', () => {
  let world: RefusalWorld;
  let server: PluginServerSimulator;
  beforeAll(async () => {
    world = await startRefusalWorld();
    server = await startPluginServer({ pluginId: 'shop', pushSecrets: [world.pushSecret] });
    await world.stack.mysql.execute('UPDATE plugins SET server_url = ?', [server.pushUrl]);
    // With these rules every route has a rule that counts each call. They are learned with the first call.
    for (const { route } of signedRoutes) {
      const rule = {
        target: route,
        by: ['app', 'ip'] as const,
        limit: 100_000,
        windowSeconds: 3_600,
        lockSeconds: null,
      };
      await setRule(rule, 'test');
    }
  });
  afterAll(() => server?.stop());
  afterEach(() => {
    world.stack.faults.mysql = undefined;
    world.stack.faults.redis = undefined;
  });

  /**
   * A good call by `by`, or else by a new user, so that Redis has no copy of the session. Nothing that may be used once
   * is used twice.
   */
  async function callOf(row: RouteRow, by?: { userId: string; session: string }): Promise<HttpCall> {
    const { mysql, redis, wechat } = world.stack;
    await redis.del('none', ...(await redis.keys('*:cache:*')));
    const { userId, session } = by ?? (await world.newUser());
    const account = randomUUID();
    await mysql.execute('UPDATE users SET account = ?, password_hash = ? WHERE user_id = ?', [
      ...[account, QUICK_HASH, userId],
    ]);
    const name = row.route === 'POST /accounts' ? randomUUID() : account;
    const own = { account: name, code: wechat.issueCode(), channelUserId: randomUUID() };
    const changed = Object.fromEntries(Object.entries(own).filter(([member]) => row.body && member in row.body));
    const token = row.route === 'POST /plugins/{pluginId}/validate' ? { pluginToken: await issuedToken() } : {};
    const body = row.body && { ...row.body, ...changed, ...token };
    const route = await withOwnRecord(mysql, row, userId);
    return world.callWith({ ...route, ...(body && { body }) }, [], session);
  }

  /** A token of a session that is no longer in Redis: its validation has to ask MySQL. */
  async function issuedToken(): Promise<string> {
    const { redis } = world.stack;
    const issuing = routeOf('POST /plugins/{pluginId}/token');
    const { body } = await world.send(world.callWith(issuing, [], (await world.newUser()).session));
    const copies = await redis.keys('*:session:*');
    if (copies.length > 0) await redis.del(copies);
    return body.pluginToken;
  }

  /** All counters. Their windows become longer, so that on a slow machine none ends before the next look. */
  async function longCounters(): Promise<Record<string, string | null>> {
    const { redis } = world.stack;
    const counters = await lockCounters(redis);
    await Promise.all(Object.keys(counters).map((key) => redis.pexpire(key, 3_600_000)));
    return counters;
  }

  /** Request number `nth` to the engine fails; with MySQL, also all requests after it. */
  async function failing(row: RouteRow, engine: 'redis' | 'mysql', nth: number, fault: GatewayFault) {
    const call = await callOf(row);
    const before = await longCounters();
    let seen = 0;
    world.stack.faults[engine] = () => {
      seen++;
      return seen === nth || (engine === 'mysql' && seen > nth) ? fault : undefined;
    };
    const answer = await world.send(call);
    world.stack.faults[engine] = undefined;
    return { answer, seen, before, after: await lockCounters(world.stack.redis) };
  }

  test.each(signedRoutes)('$route: leaves all counters as before, whatever failed', async (row) => {
    await world.send(await callOf(row));
    const met: number[] = [];
    for (const [engine, first, fault] of [
      ['mysql', 1, READ_ONLY],
      ['mysql', 1, UNKNOWN_ERROR],
      ['redis', 2, REDIS_FULL],
    ] as const) {
      for (let nth: number = first; nth <= 5; nth++) {
        const { answer, seen, before, after } = await failing(row, engine, nth, fault);
        if (seen < nth) break;
        if (answer.status < 500) continue;
        met.push(answer.status);
        expect(after, `request ${nth} to ${engine}: ${answer.text}`).toEqual(before);
      }
    }
    expect(met).toContain(503);
  });

  /**
   * Redis applies the admissions of the call, and their answers are lost. Only admission names a since mark. Reads of
   * the cache are not counted: the process keeps the plugin for 5 s and then reads it again.
   */
  async function unanswered(row: RouteRow, mysql?: GatewayFault) {
    const user = await world.newUser();
    // The copy of the session is in Redis: so admission charges the call.
    await world.send(world.callWith(routeOf('GET /sessions'), [], user.session));
    const call = await callOf(row, user);
    // The record that a creation names. How many misses an unanswered admission charged is unknown: they stay charged.
    await world.send(world.callWith({ ...routeOf('GET /data/{resource}'), path: '/data/service' }, [], user.session));
    const before = await longCounters();
    let requests = 0;
    let charged = before;
    const look = async () => {
      charged = await lockCounters(world.stack.redis);
      return undefined;
    };
    world.stack.faults.redis = ({ body }) => {
      const request = JSON.stringify(body);
      if (request.includes(':replay:since:')) return { kind: 'drop-after' };
      if (request.includes(':cache:')) return undefined;
      requests++;
      return { kind: 'hold', before: look, after: async () => undefined };
    };
    world.stack.faults.mysql = () => mysql;
    const answer = await world.send(call);
    world.stack.faults.redis = world.stack.faults.mysql = undefined;
    return { answer, requests, before, charged, after: await lockCounters(world.stack.redis) };
  }

  test.each(signedRoutes.filter(({ route }) => !route.startsWith('GET ')))(
    '$route: leaves all counters as before when Redis charged it and the answer is lost',
    async (row) => {
      await world.send(await callOf(row));
      const { answer, requests, before, charged, after } = await unanswered(row);
      expect([answer.status, answer.body.code, requests]).toEqual([503, 'UNAVAILABLE', 1]);
      expect(charged).not.toEqual(before);
      expect(after).toEqual(before);
    },
  );

  test('a read whose admission is lost is counted if MySQL answers, and else not', async () => {
    const row = routeOf('GET /me');
    await world.send(await callOf(row));
    const good = await unanswered(row);
    expect([good.answer.status, good.requests]).toEqual([200, 0]);
    expect(good.after).not.toEqual(good.before);
    const failed = await unanswered(row, READ_ONLY);
    expect([failed.answer.status, failed.requests]).toEqual([503, 1]);
    expect(failed.charged).not.toEqual(failed.before);
    expect(failed.after).toEqual(failed.before);
  });

  test('costs one more request to Redis, and a call that succeeds costs none', async () => {
    const row = routeOf('GET /sessions');
    const { session } = await world.newUser();
    const call = () => world.send(world.callWith(row, [], session));
    await call();
    await world.stack.resetCounters();
    expect((await call()).status).toBe(200);
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 1 });
    world.stack.faults.mysql = () => READ_ONLY;
    await world.stack.resetCounters();
    expect((await call()).status).toBe(503);
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 2 });
  });
});
