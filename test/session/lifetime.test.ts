import { beforeAll, describe, expect, test } from 'vitest';
import { networkOf } from '../../shared/session/network.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

const DAY_MS = 86_400_000;

describe('the lifetime of a session', () => {
  let stack: TestStack;
  let app: TestApp;
  let sessions: ReturnType<typeof sessionsOf>;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
    sessions = sessionsOf(stack, app);
  });

  const me = (session: string) => stack.call(app, 'GET', '/me', { session });
  const codeOf = async (session: string): Promise<string> => (await me(session)).body.code ?? 'alive';
  const idleUntil = async (sessionId: string): Promise<number> => {
    const [rows] = await stack.mysql.query('SELECT idle_until FROM sessions WHERE session_id = ?', [sessionId]);
    return (rows as Array<{ idle_until: Date }>)[0]?.idle_until.getTime() ?? 0;
  };

  /** The part of the idle time that is left after this pause. */
  const afterPause = (minutes: number): number => 1 - (minutes * 60_000) / (7 * DAY_MS);

  test('a call five minutes after the last one extends it in both engines, an earlier one in neither', async () => {
    const session = await sessions.open();
    await me(session.token);
    await sessions.rest(session, afterPause(4.5));
    await stack.resetCounters();
    await me(session.token);
    expect(await sessions.idleLeftMs(session.key)).toBeLessThanOrEqual(7 * DAY_MS - 4.5 * 60_000);
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });

    await sessions.rest(session, afterPause(5.1));
    await stack.resetCounters();
    await me(session.token);
    expect(await sessions.idleLeftMs(session.key)).toBeGreaterThan(7 * DAY_MS - 60_000);
    expect(await idleUntil(session.sessionId)).toBeGreaterThan(Date.now() + 7 * DAY_MS - 60_000);
    const counters = await stack.counters();
    expect(counters).toMatchObject({ redisRequests: 1, mysqlRequests: 1 });
    // Only the expiry is set. A SET could bring back a session that was revoked in between.
    expect(counters.byCommand.pexpireat).toBe(1);
  });

  test('the list of sessions says when and in which network each was used, right to five minutes', async () => {
    const session = await sessions.open();
    await me(session.token);
    const listed = async () =>
      (await stack.call(app, 'GET', '/sessions', { session: session.token })).body.sessions[0] as {
        lastSeenAt: string;
        network: string | null;
      };
    expect((await listed()).network).toBeNull();
    // Near its absolute end the idle time is longer than the session: the last use is still noted.
    await stack.mysql.query(
      `UPDATE sessions SET ends_at = NOW(3) + INTERVAL 1 HOUR, last_seen_at = NOW(3) - INTERVAL 2 DAY WHERE session_id = ?`,
      [session.sessionId],
    );
    await sessions.flush();
    for (let use = 0; use < 2; use++) {
      await sessions.rest(session, afterPause(6));
      await me(session.token);
      const { lastSeenAt, network } = await listed();
      expect(Date.now() - Date.parse(lastSeenAt)).toBeLessThan(5 * 60_000);
      expect(network).toBe('127.0.0.0/16');
    }
  });

  test.each([
    ['203.0.113.7', '203.0.0.0/16'],
    ['2001:db8:1:2::/64', '2001:db8::/32'],
    ['', ''],
  ])('the network of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  test('a session that was unused for its idle time has expired in both engines', async () => {
    const session = await sessions.open();
    await me(session.token);
    await sessions.rest(session, -0.001);
    await stack.resetCounters();
    expect(await codeOf(session.token)).toBe('LOGIN_EXPIRED');
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
    await sessions.flush();
    expect(await codeOf(session.token)).toBe('LOGIN_EXPIRED');
  });

  test('a session expires at its absolute end, also while it is used', async () => {
    const session = await sessions.open();
    await stack.mysql.query('UPDATE sessions SET ends_at = NOW(3) + INTERVAL 1 HOUR WHERE session_id = ?', [
      session.sessionId,
    ]);
    await me(session.token);
    await stack.redis.pexpire(session.key, DAY_MS + 600_000);
    expect(await codeOf(session.token)).toBe('alive');
    const copy = (await stack.redis.get(session.key)) ?? '';
    await stack.redis.set(session.key, copy.replace(/^J1;\d+/, `J1;${Date.now() - 1}`), 'KEEPTTL');
    expect(await codeOf(session.token)).toBe('LOGIN_EXPIRED');
    await stack.mysql.query('UPDATE sessions SET ends_at = NOW(3) - INTERVAL 1 SECOND WHERE session_id = ?', [
      session.sessionId,
    ]);
    await sessions.flush();
    expect(await codeOf(session.token)).toBe('LOGIN_EXPIRED');
  });

  test('rows of sessions that ended days ago are deleted, and other rows are kept', async () => {
    const [old, young] = [await sessions.open(), await sessions.open()];
    await stack.mysql.query('UPDATE sessions SET ends_at = NOW(3) - INTERVAL 3 DAY WHERE session_id = ?', [
      old.sessionId,
    ]);
    expect(await stack.api.runSchedule('cache-warm')).toMatchObject({ oldSessions: 1 });
    expect([await codeOf(old.token), await codeOf(young.token)]).toEqual(['LOGIN_EXPIRED', 'alive']);
  });

  test('nobody is logged out when Redis loses its data', async () => {
    const open = await Promise.all((await sessions.newUsers(5)).map((userId) => sessions.openAt(userId)));
    for (const { token } of open) await me(token);
    await sessions.flush();
    await stack.resetCounters();
    for (const { token, userId } of open) expect((await me(token)).body.userId).toBe(userId);
    const { redisRequests, mysqlRequests } = await stack.counters();
    // MySQL is asked once for each user, and once for the field schema of the app.
    expect({ redisRequests, mysqlRequests }).toEqual({ redisRequests: 5 * 2 + 1, mysqlRequests: 5 + 1 });
  });

  test('after Redis lost its data, 30 calls at once are all answered', async () => {
    const { token, userId } = await sessions.open();
    await sessions.flush();
    const answers = await Promise.all(Array.from({ length: 30 }, () => me(token)));
    expect(answers.map(({ body }) => body.userId)).toEqual(Array(30).fill(userId));
    await stack.resetCounters();
    await me(token);
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });

  test('Redis down: reads take the session from MySQL, writes get 503, and nobody has to log in again', async () => {
    const session = await sessions.open();
    await me(session.token);
    stack.faults.redis = () => ({ kind: 'drop-before' });
    for (let i = 0; i < 6; i++) expect(await me(session.token)).toMatchObject({ status: 200 });
    const list = await stack.call(app, 'GET', '/sessions', { session: session.token });
    expect(list.body.sessions).toHaveLength(1);
    const writes = [
      ['PUT', '/me', { profile: {} }],
      ['POST', '/logout', {}],
      ['DELETE', '/sessions', undefined],
      ['PUT', '/me/password', { oldPassword: 'what-it-was', newPassword: 'what-it-will-be' }],
    ] as const;
    for (const [method, path, body] of writes) {
      const answer = await stack.call(app, method, path, { session: session.token, ...(body && { body }) });
      expect(answer, `${method} ${path}`).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
      expect(answer.headers.get('retry-after')).toBe('2');
    }
    stack.faults.redis = undefined;
    await expect.poll(async () => (await me(session.token)).status, { timeout: 20_000 }).toBe(200);
    await expect
      .poll(async () => (await stack.call(app, 'POST', '/logout', { session: session.token })).status, {
        timeout: 20_000,
        interval: 500,
      })
      .toBe(204);
    expect(await codeOf(session.token)).toBe('SESSION_REVOKED');
  });

  test('MySQL down: reads work with a session that Redis has, also when it is due for an extension', async () => {
    const session = await sessions.open();
    await me(session.token);
    await sessions.rest(session, 0.4);
    stack.faults.mysql = () => ({ kind: 'drop-before' });
    expect(await me(session.token)).toMatchObject({ status: 200 });
    expect(await me(session.token)).toMatchObject({ status: 200 });
    const write = await stack.call(app, 'PUT', '/me', { session: session.token, body: { profile: {} } });
    expect(write).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    stack.faults.mysql = undefined;
    await expect
      .poll(
        async () => (await stack.call(app, 'PUT', '/me', { session: session.token, body: { profile: {} } })).status,
        { timeout: 20_000, interval: 500 },
      )
      .toBe(200);
  });
});
