import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { rewritePolicies } from '../../shared/lock/stored-policy.ts';
import { portalHere as portal, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
const target = 'data:notice';
const lock = (verb: string, ...options: string[]) => portalJson(['lock', verb, '--target', target, ...options]);
const read = () => stack.call(app, 'GET', '/data/notice/1');
const statuses = async (times: number): Promise<number[]> => {
  const seen: number[] = [];
  for (let call = 0; call < times; call++) seen.push((await read()).status);
  return seen;
};

beforeAll(async () => {
  stack = await startTestStack();
});
beforeEach(async () => {
  await lock('clear');
  await stack.api.reload();
  app = await stack.createApp();
});

describe('portal lock', () => {
  test('a rule applies to the next call, and the refusal names the rule', async () => {
    expect(await statuses(2)).toEqual([404, 404]);
    await lock('set', '--by', 'app', '--limit', '2', '--window', '60');
    expect(await statuses(3)).toEqual([404, 404, 429]);
    const refused = await read();
    expect(refused.body).toMatchObject({ code: 'LOCKED' });
    expect(refused.headers.get('ratelimit-policy')).toBe('"operator-app";q=2;w=60');
  });

  test('there is one rule for each tuple: setting it again changes it, another tuple is another rule', async () => {
    await lock('set', '--by', 'ip,app', '--limit', '5', '--window', '60');
    await lock('set', '--by', 'app,ip', '--limit', '7', '--window', '30', '--lock', '90');
    await lock('set', '--by', 'user', '--limit', '9', '--window', '10');
    const { policies } = await portalJson(['lock', 'list']);
    expect(policies.find((policy: { target: string }) => policy.target === target).rules).toEqual([
      { by: ['app', 'ip'], limit: 7, windowSeconds: 30, lockSeconds: 90 },
      { by: ['user'], limit: 9, windowSeconds: 10 },
    ]);
  });

  test('a block refuses at once the callers that it names, and nobody else', async () => {
    const other = await stack.createApp();
    expect(await statuses(1)).toEqual([404]);
    await lock('block', '--seconds', '60', '--app', app.appId);
    const refused = await read();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
    expect((await stack.call(other, 'GET', '/data/notice/1')).status).toBe(404);
    await lock('block', '--seconds', '60');
    expect((await stack.call(other, 'GET', '/data/notice/1')).status).toBe(429);
  });

  test('clear removes rules and blocks, and all counts begin at zero', async () => {
    await lock('set', '--by', 'app', '--limit', '1', '--window', '600', '--lock', '600');
    await lock('block', '--seconds', '600', '--ip', '203.0.113.9');
    expect(await statuses(2)).toEqual([404, 429]);
    await lock('clear');
    await stack.api.reload();
    expect(await statuses(3)).toEqual([404, 404, 404]);
    await lock('set', '--by', 'app', '--limit', '1', '--window', '600');
    expect(await statuses(2), 'a new rule of the same name begins at zero').toEqual([404, 429]);
  });

  test('setting a rule does not change the counts of the rules in the code', async () => {
    await portalJson(['data', 'invalidate', 'notice', '1']);
    await statuses(2);
    await lock('set', '--by', 'ip', '--limit', '1000', '--window', '60');
    const { rules } = await peek();
    expect(rules).toContainEqual(expect.objectContaining({ rule: 'misses', setBy: 'code', used: 1 }));
  });

  const peek = () => lock('peek', '--app', app.appId, '--ip', '127.0.0.1');

  test('peek shows the state of each rule for an identity, and counts nothing', async () => {
    await lock('set', '--by', 'app', '--limit', '3', '--window', '60');
    await lock('set', '--by', 'user', '--limit', '3', '--window', '60');
    await statuses(2);
    const first = await peek();
    const second = await peek();
    for (const { rules } of [first, second]) {
      expect(rules).toContainEqual(
        expect.objectContaining({ rule: 'operator-app', setBy: 'operator', used: 2, left: 1, limit: 3, locked: false }),
      );
      expect(rules).toContainEqual(expect.objectContaining({ rule: 'operator-user', missing: ['user'] }));
    }
    await statuses(2);
    const { rules } = await peek();
    expect(rules).toContainEqual(expect.objectContaining({ rule: 'operator-app', locked: true, left: 0 }));
  });

  test('rules are restored after a flush of Redis, and an older copy never replaces a newer one', async () => {
    await lock('set', '--by', 'app', '--limit', '1', '--window', '60');
    await stack.flush();
    await stack.api.reload();
    expect(await rewritePolicies()).toBeGreaterThan(0);
    const [key = ''] = await stack.redis.keys('*:lock:policy:*');
    expect(await stack.redis.pttl(key)).toBeGreaterThan(0);
    const newer = (await stack.redis.get(key))?.replace(/^\d+/, '999999') ?? '';
    await stack.redis.set(key, newer, 'PX', 60_000);
    await rewritePolicies();
    expect(await stack.redis.get(key)).toBe(newer);
    await stack.redis.del(key);
  });

  test('an unknown target, or a route without the authorizer, is refused, with the most similar name if there is one', async () => {
    const options = ['--by', 'app', '--limit', '1', '--window', '1'];
    for (const [typed, meant] of [
      ['data:notise', 'data:notice'],
      ['POST /logim', 'POST /login'],
      ['GET /health', 'is not one of these'],
    ] as const) {
      const run = await portal(['lock', 'set', '--target', typed, ...options]);
      expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining(meant) });
    }
  });

  test('names and numbers that are not valid for a rule are refused, and nothing changes', async () => {
    const wrong = [
      ['set', '--by', 'app,account', '--limit', '1', '--window', '1'],
      ['set', '--by', 'app', '--limit', '-1', '--window', '1'],
      ['set', '--by', 'app', '--limit', '1', '--window', '0'],
      ['set', '--by', 'app', '--limit', '1', '--window', '1', '--lock', '1e3'],
      ['block', '--seconds', '60', '--ip', '300.1.1.1'],
      ['block', '--seconds', '99999999'],
    ];
    for (const [verb = '', ...options] of wrong) {
      const run = await portal(['lock', verb, '--target', target, ...options]);
      expect(run.code, options.join(' ')).toBe(2);
    }
    const [rows] = await stack.mysql.query('SELECT * FROM lock_rules');
    expect(rows).toEqual([]);
  });

  test('routes can be locked like resources', async () => {
    const route = 'GET /data/{resource}/{id}';
    await portalJson(['lock', 'set', '--target', route, '--by', 'app', '--limit', '1', '--window', '60']);
    expect(await statuses(2)).toEqual([404, 429]);
    expect((await stack.call(app, 'GET', '/data/service/1')).status).toBe(429);
    await portalJson(['lock', 'clear', '--target', route]);
  });

  test('peek shows failed logins, counted by the rules in the code of the route', async () => {
    const body = { account: 'Nobody', password: 'wrong-password' };
    expect(await stack.call(app, 'POST', '/login', { body })).toMatchObject({ status: 401 });
    const identity = ['--app', app.appId, '--ip', '127.0.0.1', '--account', 'nobody'];
    const { rules } = await portalJson(['lock', 'peek', '--target', 'POST /login', ...identity]);
    const counted = rules.filter(
      (rule: { by: string[]; used: number }) => rule.by.includes('account') && rule.used === 1,
    );
    expect(counted.length).toBeGreaterThan(0);
    expect(rules.every(({ missing }: { missing: string[] }) => missing.length === 0)).toBe(true);
  });

  test('the operator log records who sets, blocks and clears', async () => {
    const actor = `op-${randomUUID()}`;
    await lock('set', '--by', 'app', '--limit', '1', '--window', '60', '--actor', actor);
    await lock('clear', '--actor', actor);
    const { entries } = await portalJson(['operator-log', 'list', '--subject', target]);
    const actions = entries.filter((entry: { actor: string }) => entry.actor === actor);
    expect(actions).toMatchObject([
      { action: 'lock.clear' },
      { action: 'lock.set', detail: { by: 'app', limit: 1, windowSeconds: 60, lockSeconds: null } },
    ]);
  });
});
