import { describe, expect, test } from 'vitest';
import { cronJob } from '../../serve/http-api/cron.ts';

/** Friday. */
const FROM = new Date('2026-11-27T00:00:00Z');

describe('a cron expression of AWS runs at the time that AWS documents', () => {
  test.each([
    ['cron(0 12 * * ? *)', '2026-11-27T12:00:00.000Z'],
    ['cron(0/5 8-17 ? * 2-6 *)', '2026-11-27T08:00:00.000Z'],
    ['cron(0 18 ? * MON-FRI *)', '2026-11-27T18:00:00.000Z'],
    ['cron(0 9 ? * 1 *)', '2026-11-29T09:00:00.000Z'],
    ['cron(0 0 ? * 7,1 *)', '2026-11-28T00:00:00.000Z'],
    ['cron(0 8 1 * ? *)', '2026-12-01T08:00:00.000Z'],
    ['cron(0 10 L * ? *)', '2026-11-30T10:00:00.000Z'],
    ['cron(15 10 ? * 2#1 *)', '2026-12-07T10:15:00.000Z'],
    ['cron(0 18 ? * 6L 2027)', '2027-01-29T18:00:00.000Z'],
    ['cron(30 9 3W * ? *)', '2026-12-03T09:30:00.000Z'],
    // A month later each time, over the end of the year.
    ['cron(0 0 1 1/6 ? *)', '2027-01-01T00:00:00.000Z'],
  ])('%s: %s', (expression, next) => {
    expect(cronJob(expression).nextRun(FROM)?.toISOString()).toBe(next);
  });
});

describe('a cron expression that AWS refuses is refused with its text', () => {
  test.each(['cron(0 12 * * ?)', 'cron(61 12 * * ? *)', 'cron(a b c d e f)', 'every day', 'cron()'])(
    '%s',
    (expression) => {
      expect(() => cronJob(expression)).toThrow(expression);
    },
  );
});
