import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Admitted, admit } from '../../shared/admission/admission.ts';
import type { LockRule } from '../../shared/lock/rule.ts';
import { readKey, requestOf, rule, verdictOf } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';
import { lockCounters } from '../support/lock-counters.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await startAdmissionWorld();
});
beforeEach(async () => void (await world.redis.flushall()));
afterAll(() => world.stop());

const enter = async (rules: readonly LockRule[], more: Parameters<typeof requestOf>[1] = {}): Promise<Admitted> =>
  (await admit(requestOf(rules, more))) as Admitted;
const counts = async (): Promise<Array<string | null>> => Object.values(await lockCounters(world.redis));

describe('after a failure of ours', () => {
  test('every kind of rule gets its charge back, once, and a counter that reaches zero is deleted', async () => {
    const rules = [
      rule({ name: 'calls', count: 'call', limit: 10 }),
      rule({ name: 'failures', count: 'failure', limit: 10 }),
      rule({ name: 'misses', count: 'miss', limit: 10 }),
      rule({ name: 'shadow', count: 'call', limit: 10, shadow: true }),
    ];
    const reads = ['a', 'b', 'c'].map((id) => ({ key: readKey(id) }));
    await enter(rules);
    const before = await lockCounters(world.redis);
    const failed = await enter(rules, { reads });
    expect((await counts()).sort()).toEqual(['0;2', '0;2', '0;2', '0;3']);
    await failed.giveBackAll();
    await failed.giveBackAll();
    expect(await lockCounters(world.redis)).toEqual(before);
  });

  test('what a success gave back is not given back again', async () => {
    const rules = [rule({ name: 'calls', count: 'call', limit: 10 }), rule({ name: 'failures', count: 'failure' })];
    await enter(rules);
    const call = await enter(rules);
    await call.giveBack();
    expect(await counts()).toEqual(['0;2', '0;1']);
    await call.giveBackAll();
    expect(await counts()).toEqual(['0;1', '0;1']);
  });

  test('a lock ends, and the calls that we did not fail stay counted for a whole window', async () => {
    const rules = [rule({ name: 'guesses', count: 'failure', limit: 3, windowSeconds: 900, lockSeconds: 60 })];
    await enter(rules);
    await enter(rules);
    const failed = await enter(rules);
    expect(await verdictOf(requestOf(rules))).toMatchObject({ verdict: 'LOCKED', by: 'guesses' });
    await failed.giveBackAll();
    expect(await counts()).toEqual(['0;2']);
    const [counter = ''] = Object.keys(await lockCounters(world.redis));
    expect(await world.redis.pttl(counter)).toBeGreaterThan(800_000);
  });

  test('a shadow rule that was full charged nothing, so it gets nothing back', async () => {
    const rules = [rule({ name: 'shadow', limit: 1, shadow: true })];
    await enter(rules);
    const over = await enter(rules);
    await over.giveBackAll();
    expect(await counts()).toEqual(['0;1']);
  });

  test('a caller that a rule spares gets nothing back', async () => {
    const spare = readKey('spare');
    const rules = [rule({ name: 'spared', limit: 5, sparedBy: () => spare })];
    await enter(rules);
    await world.redis.set(spare, '1', 'PX', 60_000);
    const spared = await enter(rules);
    await spared.giveBackAll();
    expect(await counts()).toEqual(['0;1']);
  });

  test('a lock that began because of the failed calls ends, and the next one is not longer', async () => {
    const escalate = { factor: 4, maxSeconds: 10_000, memorySeconds: 20_000 };
    const rules = [rule({ count: 'failure', limit: 2, windowSeconds: 600, lockSeconds: 900, escalate })];
    const calls = [await enter(rules), await enter(rules)];
    expect((await verdictOf(requestOf(rules))).retryAfter).toBe(900);
    for (const call of calls) await call.giveBackAll();
    expect(await counts()).toEqual([]);
    await enter(rules);
    await enter(rules);
    expect((await verdictOf(requestOf(rules))).retryAfter).toBe(900);
  });

  test('one failed call lowers the count by one, also when a lock began', async () => {
    const rules = [rule({ count: 'failure', limit: 2, lockSeconds: 900 })];
    const failed = await enter(rules);
    for (let i = 0; i < 2; i++) await verdictOf(requestOf(rules));
    await failed.giveBackAll();
    expect((await verdictOf(requestOf(rules))).verdict).toBe('admitted');
    expect((await verdictOf(requestOf(rules))).verdict).toBe('LOCKED');
  });

  test('the caller passes at once, also when a refusal was remembered', async () => {
    const session = randomUUID();
    const rules = [rule({ limit: 1 })];
    const failed = await enter(rules, { identities: { session } });
    expect((await verdictOf(requestOf(rules, { identities: { session } }))).verdict).toBe('LOCKED');
    await failed.giveBackAll();
    expect((await verdictOf(requestOf(rules, { identities: { session } }))).verdict).toBe('admitted');
  });

  test('200 failed calls at the same time leave nothing', async () => {
    const rules = [rule({ limit: 500 }), rule({ name: 'failures', count: 'failure', limit: 500 })];
    await Promise.all(Array.from({ length: 200 }, async () => (await enter(rules)).giveBackAll()));
    expect(await counts()).toEqual([]);
  });
});
