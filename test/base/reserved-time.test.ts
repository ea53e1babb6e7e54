import { expect, test } from 'vitest';
import { remainingMs, runInvocation, useReservedTime } from '../../shared/telemetry.ts';

test('calls to engines leave time to give back what a failed call was charged', async () => {
  await runInvocation('call', 2_000, async () => {
    expect(remainingMs(10_000)).toBeLessThanOrEqual(1_600);
    expect(remainingMs(10_000)).toBeGreaterThan(1_000);
    useReservedTime();
    expect(remainingMs(10_000)).toBeLessThanOrEqual(1_900);
    expect(remainingMs(10_000)).toBeGreaterThan(1_600);
    expect(remainingMs(250)).toBe(250);
  });
});

test('a call without time left for its work still has time to give back its charge', async () => {
  await runInvocation('late', 350, async () => {
    expect(remainingMs(2_000)).toBe(1);
    useReservedTime();
    expect(remainingMs(250)).toBeGreaterThan(100);
  });
});
