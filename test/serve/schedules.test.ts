import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Lambda } from '../../serve/http-api/lambda.ts';
import { rateMilliseconds } from '../../serve/http-api/schedule-clock.ts';
import { type DeclaredSchedule, schedulesOf } from '../../serve/http-api/schedule-declaration.ts';
import { startSchedules } from '../../serve/http-api/schedules.ts';

/** Friday. */
const FROM = new Date('2026-11-27T00:00:00Z');
const MINUTE = 60_000;
const DAY = 86_400_000;

beforeEach(() => void vi.useFakeTimers({ now: FROM }));
afterEach(() => void vi.useRealTimers());

/** The inputs of the runs, in order. */
function runsOf(...declared: DeclaredSchedule[]): unknown[] {
  const inputs: unknown[] = [];
  const invoke = async (_name: string, input: unknown): Promise<void> => void inputs.push(input);
  const schedules = declared.flatMap((one) => schedulesOf('sweep', one));
  const { stop } = startSchedules(schedules, { invoke } as Partial<Lambda> as Lambda, true, () => {});
  onTestFinished(stop);
  return inputs;
}

describe('a schedule runs by the clock', () => {
  test.each<[DeclaredSchedule, after: number, times: number]>([
    ['rate(5 minutes)', 5 * MINUTE - 1, 0],
    ['rate(5 minutes)', 15 * MINUTE, 3],
    ['cron(0/5 * * * ? *)', 15 * MINUTE, 3],
    [{ rate: 'cron(0 12 * * ? *)' }, DAY, 1],
    // The timers of Node end at once above 24.8 days.
    ['rate(30 days)', 30 * DAY - 1, 0],
    ['rate(30 days)', 90 * DAY, 3],
    ['rate(700 hours)', 700 * 60 * MINUTE, 1],
  ])('%j: after %i ms, %i times', async (declared, after, times) => {
    const inputs = runsOf(declared);
    await vi.advanceTimersByTimeAsync(after);
    expect(inputs).toHaveLength(times);
  });

  test('in its time zone', async () => {
    const inputs = runsOf({ rate: 'cron(0 9 * * ? *)', timezone: 'Asia/Shanghai' });
    await vi.advanceTimersByTimeAsync(60 * MINUTE - 1);
    expect(inputs).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(inputs).toHaveLength(1);
  });

  test('at each of its times, and not when it is disabled', async () => {
    const inputs = runsOf(
      { rate: ['rate(7 minutes)', 'cron(30 0 * * ? *)'] },
      { rate: 'rate(1 minute)', enabled: false },
    );
    await vi.advanceTimersByTimeAsync(30 * MINUTE);
    expect(inputs).toHaveLength(5);
  });

  test('with its own input, also when the function has several schedules that are due at the same time', async () => {
    const inputs = runsOf(
      { rate: 'cron(* * * * ? *)', input: { kind: 'often' } },
      { rate: 'cron(0/2 * * * ? *)', input: '{"kind":"seldom"}' },
      'cron(0/4 * * * ? *)',
    );
    await vi.advanceTimersByTimeAsync(4.5 * MINUTE);
    const often = Array(4).fill({ kind: 'often' });
    const sorted = inputs.map((input) => JSON.stringify(input)).sort();
    expect(sorted).toEqual([...often, ...Array(2).fill({ kind: 'seldom' }), {}].map((one) => JSON.stringify(one)));
  });

  test('one after the other when several schedules of its function are due, and not twice at the same time', async () => {
    let atWork = 0;
    const seen: unknown[] = [];
    async function invoke(_name: string, input: unknown): Promise<void> {
      seen.push([input, ++atWork]);
      await new Promise((resolve) => setTimeout(resolve, 90_000));
      atWork -= 1;
    }
    const schedules = ['a', 'b'].flatMap((input) =>
      schedulesOf('sweep', { rate: 'cron(* * * * ? *)', input: { input } }),
    );
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    const { stop } = startSchedules(schedules, { invoke } as Partial<Lambda> as Lambda, true, log);
    await vi.advanceTimersByTimeAsync(2.75 * MINUTE);
    expect(seen).toEqual([
      [{ input: 'a' }, 1],
      [{ input: 'b' }, 1],
    ]);
    expect(lines).toEqual(Array(2).fill('sweep is still running: this run is skipped'));
    const stopped = stop();
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    await stopped;
  });
});

test.each([
  ['rate(1 minute)', 60_000],
  ['rate(90 minutes)', 5_400_000],
  ['rate(36 hours)', 129_600_000],
  ['cron(0 12 * * ? *)', undefined],
])('%s is every %s ms', (expression, milliseconds) => {
  expect(rateMilliseconds(expression)).toBe(milliseconds);
});

describe('a schedule that AWS refuses is refused with the name of its function', () => {
  test.each<DeclaredSchedule>([
    ...[
      'rate(1 minutes)',
      'rate(5 minute)',
      'rate(0 minutes)',
      'rate(5 seconds)',
      'rate(1.5 hours)',
      'rate(05 minutes)',
    ],
    ...['rate()', '5 minutes', '', 'at(2026-11-27T00:00:00)', 'cron(0 12 * * * *)'],
    { rate: ['rate(1 minute)', 'rate(1 minutes)'] },
    { rate: 'rate(1 minute)', inputPath: '$.detail' },
    { rate: 'cron(0 9 * * ? *)', timezone: 'Mars' },
  ])('%j', (declared) => {
    expect(() => schedulesOf('sweep', declared)).toThrow(/sweep/);
  });
});
