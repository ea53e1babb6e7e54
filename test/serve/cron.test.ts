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
    ['cron(0 0 ? * L *)', '2026-11-28T00:00:00.000Z'],
    ['cron(0 0 ? * SAT#2 *)', '2026-12-12T00:00:00.000Z'],
    ['cron(0 0 1 JAN/3 ? *)', '2027-01-01T00:00:00.000Z'],
    ['cron(1,10-50/20 0 * * ? *)', '2026-11-27T00:01:00.000Z'],
    // A month later each time, over the end of the year.
    ['cron(0 0 1 1/6 ? *)', '2027-01-01T00:00:00.000Z'],
  ])('%s: %s', (expression, next) => {
    expect(cronJob(expression, 'UTC').nextRun(FROM)?.toISOString()).toBe(next);
  });
});

test('a cron expression with a time zone runs at the time of that place', () => {
  expect(cronJob('cron(30 2 * * ? *)', 'Asia/Shanghai').nextRun(FROM)?.toISOString()).toBe('2026-11-27T18:30:00.000Z');
  expect(() => cronJob('cron(30 2 * * ? *)', 'Asia/Beijing')).toThrow('Asia/Beijing');
});

describe('a cron expression that AWS refuses is refused with its text', () => {
  test.each([
    ...['cron(0 12 * * ?)', 'cron(61 12 * * ? *)', 'cron(a b c d e f)', 'every day', 'cron()'],
    // Both day fields, or none of them.
    ...['cron(0 12 * * * *)', 'cron(0 12 1 * MON *)', 'cron(0 12 ? * ? *)'],
    // ? belongs to the day fields; days of the week are 1 to 7 and take no step; years begin with 1970.
    ...['cron(? 12 * * ? *)', 'cron(0 12 ? * 0 *)', 'cron(0 12 ? * 8 *)', 'cron(0 12 ? * 2-6/2 *)'],
    ...['cron(0 12 ? * 3#1,6#3 *)', 'cron(0 12 ? * 2#6 *)', 'cron(0 12 1 1 ? 1969)', 'cron(0 12 0 * ? *)'],
    // Forms of other kinds of cron.
    ...['cron(@daily)', 'cron(0/0 12 * * ? *)', 'cron(-1 12 * * ? *)', 'cron(0 0 L-2 * ? *)', 'cron(+1 0 * * ? *)'],
  ])('%s', (expression) => {
    expect(() => cronJob(expression, 'UTC')).toThrow(expression);
  });
});
