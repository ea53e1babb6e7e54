import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayFault } from '../../gateway/faults.ts';
import { admit } from '../../shared/admission/admission.ts';
import { signatureRecord } from '../../shared/admission/replay-record.ts';
import type { AdmissionRequest } from '../../shared/admission/request.ts';
import { encodePolicy, type LockPolicy, policyKey } from '../../shared/lock/policy.ts';
import { readKey, requestOf, rule, verdictOf } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';

let world: AdmissionWorld;
const faults: GatewayFault[] = [];
beforeAll(async () => {
  world = await startAdmissionWorld(() => faults.shift());
});
beforeEach(async () => void (await world.redis.flushall()));
afterAll(() => world.stop());

const requests = async (work: () => Promise<unknown>): Promise<number> => {
  world.gateway.resetStats();
  await work();
  return world.gateway.stats().requests;
};
const withNewRequestId = (request: AdmissionRequest): AdmissionRequest => ({ ...request, requestId: randomUUID() });
const v1 = (request: AdmissionRequest): AdmissionRequest => ({ ...request, token: { ...request.token, version: 1 } });

describe('a token', () => {
  test('admits one of 200 equal calls at the same time', async () => {
    const request = requestOf([]);
    const all = await Promise.all(Array.from({ length: 200 }, () => verdictOf(withNewRequestId(request))));
    expect(all.filter(({ verdict }) => verdict === 'admitted')).toHaveLength(1);
    expect(all.filter(({ verdict }) => verdict === 'REPLAYED')).toHaveLength(199);
  });

  test('of v1 is a replay when its nonce was used, also with another signature', async () => {
    const request = v1(requestOf([]));
    expect(await verdictOf(request)).toMatchObject({ verdict: 'admitted' });
    const other = { ...request.token, signature: randomBytes(20).toString('hex') };
    expect(await verdictOf({ ...withNewRequestId(request), token: other })).toMatchObject({ verdict: 'REPLAYED' });
  });

  test('has a replay record until 310 s after its time stamp, and at most 10 s longer', async () => {
    for (const later of [-290, 0, 290]) {
      const request = requestOf([]);
      const timeStamp = request.token.timeStamp + later;
      await admit({ ...request, token: { ...request.token, timeStamp } });
      const { bucket, field, endsAt } = signatureRecord({ ...request.token, timeStamp });
      expect(await world.redis.hexists(bucket, field)).toBe(1);
      expect(await world.redis.call('PEXPIRETIME', bucket)).toBe(endsAt * 1000);
      expect(endsAt - timeStamp).toBeGreaterThanOrEqual(310);
      expect(endsAt - timeStamp).toBeLessThanOrEqual(320);
    }
  });

  test('of v1 is a replay when its nonce was used with any other time stamp of the window', async () => {
    const request = v1(requestOf([]));
    const at = (timeStamp: number): AdmissionRequest => {
      const signature = randomBytes(20).toString('hex');
      return { ...withNewRequestId(request), token: { ...request.token, timeStamp, signature } };
    };
    const now = request.token.timeStamp;
    expect(await verdictOf(at(now - 295))).toMatchObject({ verdict: 'admitted' });
    for (const later of [-295, -200, -10, 0, 10, 200, 295]) {
      expect(await verdictOf(at(now + later))).toMatchObject({ verdict: 'REPLAYED' });
    }
  });

  test('is admitted again for the same request after a lost answer, and is counted once', async () => {
    const rules = [rule({ limit: 5 })];
    const request = requestOf(rules);
    await admit(requestOf(rules));
    faults.push({ kind: 'drop-after' });
    expect(await verdictOf(request)).toMatchObject({ verdict: 'admitted' });
    expect(await verdictOf(request)).toMatchObject({ verdict: 'admitted' });
    const [counter = ''] = await world.redis.keys('*:lock:count:*');
    expect(await world.redis.get(counter)).toBe('0;2');
  });

  test('of a locked call is used up, but the same request may ask again after a lost answer', async () => {
    const rules = [rule({ limit: 1 })];
    await admit(requestOf(rules));
    const refused = requestOf(rules);
    expect(await verdictOf(refused)).toMatchObject({ verdict: 'LOCKED' });
    const stranger = { ...withNewRequestId(refused), identities: { app: 'app' } };
    expect(await verdictOf(stranger)).toMatchObject({ verdict: 'REPLAYED' });
    await world.redis.del(...(await world.redis.keys('*:lock:*')));
    expect(await verdictOf({ ...refused, identities: { app: 'app' } })).toMatchObject({ verdict: 'admitted' });
  });

  test('signed before the replay records began is refused for a change and admitted for a read', async () => {
    await admit(requestOf([]));
    const stamped = Math.floor(Date.now() / 1000) - 20;
    const older = (unsafe: boolean): AdmissionRequest => {
      const request = requestOf([], { unsafe });
      return {
        ...request,
        token: { ...request.token, timeStamp: stamped, signature: `a${request.token.signature.slice(1)}` },
      };
    };
    expect(await verdictOf(older(true))).toMatchObject({ verdict: 'REPLAYED' });
    expect(await verdictOf(older(false))).toMatchObject({ verdict: 'admitted' });
  });
});

describe('every refusal', () => {
  test('changes nothing of the steps behind it, and leaves no key without an end', async () => {
    const rules = [rule({ limit: 1 })];
    await admit(requestOf(rules, { reads: [{ key: readKey('a'), hot: 'x:1' }] }));
    const refused = requestOf(rules, { reads: [{ key: readKey('b') }] });
    await verdictOf(refused);
    const replayed = withNewRequestId(refused);
    await verdictOf({ ...replayed, targets: [{ name: 'data:other', rules }], reads: [{ key: readKey('c') }] });
    const keys = await world.redis.keys('*');
    expect(keys.filter((key) => /:admitted:v1:[bc]$/.test(key))).toEqual([]);
    expect(keys.filter((key) => key.includes(':lock:count:'))).toHaveLength(1);
    for (const key of keys) expect(await world.redis.pttl(key)).toBeGreaterThan(0);
  });
});

describe('a denial', () => {
  test('costs one request to Redis, and none while this process remembers it', async () => {
    const rules = [rule({ limit: 1 })];
    const session = 'same';
    await admit(requestOf(rules, { identities: { session } }));
    const call = () => verdictOf(requestOf(rules, { identities: { session } }));
    expect(await requests(call)).toBe(1);
    expect(await requests(call)).toBe(0);
    expect(await call()).toMatchObject({ verdict: 'LOCKED', by: 'rule' });
  });

  test('is remembered for the denied identity only, and not for a caller whom the rule spares', async () => {
    const spare = readKey('known-device');
    const spared = rule({ limit: 1, name: 'spares', sparedBy: () => spare });
    await admit(requestOf([rule({ limit: 1, name: 'spares' })], { identities: { session: 's' } }));
    expect(
      await verdictOf(requestOf([rule({ limit: 1, name: 'spares' })], { identities: { session: 's' } })),
    ).toMatchObject({
      verdict: 'LOCKED',
    });
    await world.redis.set(spare, '1', 'PX', 60_000);
    expect(await verdictOf(requestOf([spared], { identities: { session: 's' } }))).toMatchObject({
      verdict: 'admitted',
    });
    expect(await requests(() => verdictOf(requestOf([rule({ limit: 1, name: 'spares' })])))).toBe(1);
  });

  test('is not remembered when its rule extends locks or counts misses', async () => {
    for (const more of [{ extend: true, lockSeconds: 9 }, { count: 'miss' as const }]) {
      const rules = [rule({ limit: 1, name: 'forgotten', ...more })];
      const reads = [{ key: readKey(`r${Object.keys(more).length}`) }];
      const call = () =>
        verdictOf(requestOf(rules, { identities: { session: 's' }, reads, target: `data:${more.count}` }));
      await call();
      await world.redis.del(reads[0]?.key ?? '');
      expect(await requests(call)).toBe(1);
      expect(await requests(call)).toBe(1);
    }
  });
});

describe('an operator’s policy', () => {
  const policy = (more: Partial<LockPolicy>): string =>
    encodePolicy({ version: 1, generation: 0, rules: [], blocks: [], ...more });
  const publish = (text: string) => world.redis.set(policyKey('data:policed'), text, 'PX', 60_000);
  const call = () => verdictOf(requestOf([], { target: 'data:policed' }));

  test('is loaded with one extra request, once, and no call is counted twice', async () => {
    await publish(policy({ version: 7, rules: [{ by: ['app'], limit: 2, windowSeconds: 60 }] }));
    expect(await requests(call)).toBe(2);
    expect(await requests(call)).toBe(1);
    expect(await call()).toMatchObject({ verdict: 'LOCKED', by: 'operator-app' });
  });

  test('of another generation starts all counts at zero', async () => {
    await publish(policy({ version: 8, generation: 1, rules: [{ by: ['app'], limit: 2, windowSeconds: 60 }] }));
    expect(await call()).toMatchObject({ verdict: 'admitted' });
  });

  test('stays in force after a flush of Redis in processes that know it', async () => {
    await publish(policy({ version: 9, blocks: [{ app: 'app', user: '', ip: '', endsAt: Date.now() + 30_000 }] }));
    expect(await call()).toMatchObject({ verdict: 'LOCKED', by: 'operator-block' });
    await world.redis.flushall();
    expect(await call()).toMatchObject({ verdict: 'LOCKED', by: 'operator-block' });
    await publish(policy({ version: 10 }));
    expect(await call()).toMatchObject({ verdict: 'admitted' });
  });
});
