import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { type ApiLock, askLock } from '../../shared/lock/api-lock.ts';
import { encodePolicy, type LockPolicy, learnPolicy } from '../../shared/lock/policy.ts';
import type { LockRule } from '../../shared/lock/rule.ts';
import { readKey, requestOf, rule } from '../support/admission-call.ts';

/** Decisions of the lock that depend on time. The test sets the clock, and no engine is asked. */
const NOW = Date.UTC(2026, 0, 1);
const SECOND = 1_000;
process.env.LOG = 'off';

/** One caller of a separate target. Times are milliseconds after NOW. */
function caller(rules: readonly LockRule[], policy: Partial<LockPolicy> = {}) {
  const target = `data:${randomUUID()}`;
  learnPolicy(target, encodePolicy({ version: 1, generation: 0, rules: [], blocks: [], ...policy }));
  const call = requestOf(rules, { target });
  return { ask: (ms: number): ApiLock => askLock(call, { bucket: readKey('records'), field: 'f', id: 'i' }, NOW + ms) };
}

/** Code and Retry-After of a refusal, or `passes`. */
function outcome(work: () => unknown): string {
  try {
    work();
    return 'passes';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return `${error.code} ${error.refusal.retryAfterSeconds}`;
  }
}

describe('a refusal', () => {
  test('is remembered for five seconds at most, and reports the time that is left', () => {
    const { ask } = caller([rule({ limit: 1 })]);
    ask(0).refusal(1, 60 * SECOND);
    expect(outcome(() => ask(0))).toBe('LOCKED 60');
    expect(outcome(() => ask(4_999))).toBe('LOCKED 56');
    expect(outcome(() => ask(5_000))).toBe('passes');
  });

  test('is forgotten when its wait is over', () => {
    const { ask } = caller([rule({ limit: 1 })]);
    ask(0).refusal(1, 2 * SECOND);
    expect(outcome(() => ask(1_999))).toBe('LOCKED 1');
    expect(outcome(() => ask(2_000))).toBe('passes');
  });
});

describe('without Redis', () => {
  const without = ({ ask }: ReturnType<typeof caller>, ms: number) => outcome(() => ask(ms).applyWithoutRedis());

  test('an operator’s block that this process has loaded holds until its end', () => {
    const block = { app: 'app', user: '', ip: '', endsAt: NOW + 30 * SECOND };
    const blocked = caller([], { blocks: [block] });
    expect(without(blocked, 0)).toBe('LOCKED 30');
    expect(without(blocked, 29_999)).toBe('LOCKED 1');
    expect(without(blocked, 30_000)).toBe('passes');
    expect(without(caller([], { blocks: [{ ...block, app: 'another' }] }), 0)).toBe('passes');
  });

  test('a local rule counts in this process, and starts at zero again when its window ends', () => {
    const counted = caller([rule({ limit: 2, windowSeconds: 60, onError: 'local' })]);
    expect([0, 1, 2].map((ms) => without(counted, ms))).toEqual(['passes', 'passes', 'LOCKED 60']);
    expect(without(counted, 59_999)).toBe('LOCKED 1');
    expect(without(counted, 60_000)).toBe('passes');
  });

  test('a local rule locks for its own time above the limit', () => {
    const locked = caller([rule({ limit: 1, windowSeconds: 10, lockSeconds: 300, onError: 'local' })]);
    expect([0, 1].map((ms) => without(locked, ms))).toEqual(['passes', 'LOCKED 300']);
    expect(without(locked, 200 * SECOND)).toBe('LOCKED 101');
    expect(without(locked, 300 * SECOND + 1)).toBe('passes');
  });

  test('a call that we failed is not counted, and a lock that it caused ends', async () => {
    const { ask } = caller([rule({ limit: 1, windowSeconds: 10, lockSeconds: 300, onError: 'local' })]);
    const now = Date.now() - NOW;
    const failed = ask(now);
    failed.applyWithoutRedis();
    expect(without({ ask }, now)).toBe('LOCKED 300');
    await failed.giveBackAll(0);
    await failed.giveBackAll(0);
    expect(without({ ask }, now)).toBe('passes');
    expect(without({ ask }, now)).toBe('LOCKED 300');
  });

  test('an open rule lets calls pass, and a closed rule refuses before a local one is charged', () => {
    expect(without(caller([rule({ limit: 1, onError: 'open' })]), 0)).toBe('passes');
    const closed = caller([rule({ name: 'counts', limit: 1, onError: 'local' }), rule({ onError: 'closed' })]);
    expect([0, 1, 2].map((ms) => without(closed, ms))).toEqual(Array(3).fill('UNAVAILABLE 2'));
  });
});
