import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Fault } from '../../gateway/faults.ts';
import { everyRoute, type RouteRow } from '../support/every-route.ts';
import { type RefusalWorld, startRefusalWorld } from '../support/refusal-world.ts';

const vitess = (errno: number, state: string): Fault => ({
  kind: 'status',
  status: 200,
  body: JSON.stringify({
    error: { code: 'UNKNOWN', message: `target: db.-.primary: vttablet: secret (errno ${errno}) (sqlstate ${state})` },
  }),
});
const page = (status: number): Fault => ({
  kind: 'status',
  status,
  body: '<html>secret</html>',
  contentType: 'text/html',
});
const redisSays = (error: string): Fault => ({ kind: 'status', status: 400, body: JSON.stringify({ error }) });

const NETWORK: Array<[string, Fault]> = [
  ['is cut off before', { kind: 'drop-before' }],
  ['is cut off after', { kind: 'drop-after' }],
  ['is never answered', { kind: 'hang' }],
  ['meets a broken proxy', page(502)],
  ['meets a page that says 200', page(200)],
  ['meets JSON of somebody else', { kind: 'status', status: 200, body: '{"message":"secret"}' }],
];
const FAULTS: Array<['redis' | 'mysql', string, Fault]> = [
  ...NETWORK.map(([name, fault]): ['redis', string, Fault] => ['redis', name, fault]),
  ['redis', 'finds Redis full', redisSays('OOM command not allowed when used memory > maxmemory. secret')],
  ['redis', 'finds a replica', redisSays("READONLY You can't write against a read only replica. secret")],
  ...NETWORK.map(([name, fault]): ['mysql', string, Fault] => ['mysql', name, fault]),
  ['mysql', 'meets a deadlock', vitess(1213, '40001')],
  ['mysql', 'waits too long for a lock', vitess(1205, 'HY000')],
  ['mysql', 'finds MySQL read-only', vitess(1290, 'HY000')],
  ['mysql', 'finds too many connections', vitess(1040, '08004')],
  ['mysql', 'loses its connection', vitess(2013, 'HY000')],
  ['mysql', 'meets what Vitess says of itself', vitess(1105, 'HY000')],
];

/** Each kind of concept meets all of them, its other routes one of each sort: every further one would cost seconds. */
const THOROUGH = [
  'GET /data/{resource}/{id}',
  'POST /login',
  'PUT /me',
  'POST /logout',
  'POST /recharge',
  'POST /balance/spend',
];
const ONE_OF_EACH_SORT = ['is cut off after', 'meets JSON of somebody else', 'finds Redis full', 'meets a deadlock'];
const faultsFor = ({ route }: RouteRow) =>
  FAULTS.filter(([, name]) => THOROUGH.includes(route) || ONE_OF_EACH_SORT.includes(name));

const ROUTES = everyRoute.filter(({ auth }) => auth === 'app' || auth === 'user');
const LIES = ['INTERNAL', 'LOGIN_EXPIRED', 'LOGIN_REQUIRED', 'SESSION_REVOKED', 'REPLAYED', 'UNKNOWN_RESOURCE'];

/** No rule has counted these before. */
function unlocked(body: Record<string, unknown>): Record<string, unknown> {
  const names = ['account', 'code', 'channelUserId'].filter((name) => name in body);
  return { ...body, ...Object.fromEntries(names.map((name) => [name, randomUUID()])) };
}

describe('the one request to an engine that fails', () => {
  let world: RefusalWorld;
  beforeAll(async () => {
    world = await startRefusalWorld();
    process.env.REDIS_TIMEOUT_MS = '250';
    process.env.MYSQL_TIMEOUT_MS = '400';
  });

  /** The route's call by a new user; request `nth` to the engine, and all after it where `on`, fail. */
  async function call(row: RouteRow, engine: 'redis' | 'mysql', fault: Fault, nth: number, on: boolean) {
    const { session } = await world.newUser();
    const request = world.callWith({ ...row, ...(row.body && { body: unlocked(row.body) }) }, [], session);
    let seen = 0;
    world.stack.faults[engine] = () => {
      seen++;
      return seen === nth || (on && seen > nth) ? fault : undefined;
    };
    const answer = await world.send(request).finally(() => {
      world.stack.faults[engine] = undefined;
    });
    return { answer, seen };
  }

  /** Both engines answer again, also to the function of this route, which may have stopped asking. */
  async function recover(row: RouteRow): Promise<number> {
    for (let tries = 0; tries < 60; tries++) {
      const { status, body } = (await call(row, 'redis', page(502), 0, false)).answer;
      if (body?.code !== 'UNAVAILABLE') return status;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the engines did not come back');
  }

  test.each(ROUTES)('$route answers 503 or as ever, never a lie and never 500', { timeout: 300_000 }, async (row) => {
    const usual = await recover(row);
    const wrong: string[] = [];
    for (const [engine, name, fault] of faultsFor(row)) {
      for (const on of fault.kind === 'drop-before' ? [false, true] : [false]) {
        for (let nth = 1; nth <= 4; nth++) {
          const { answer, seen } = await call(row, engine, fault, nth, on);
          if (seen < nth) break;
          const what = `${row.route}: request ${nth} to ${engine}${on ? ' and all after it' : ''} ${name}`;
          const { status, text, body } = answer;
          const asEver = status === usual;
          if (!asEver && status !== 503) wrong.push(`${what}: ${status} ${text}`);
          if (!asEver && LIES.includes(body?.code)) wrong.push(`${what}: ${body.code}`);
          if (status === 503 && answer.headers['retry-after'] === undefined) wrong.push(`${what}: no retry-after`);
          if (text.includes('secret')) wrong.push(`${what}: tells ${text}`);
          if (body?.code === 'UNAVAILABLE') await recover(row);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
