import { Cron } from 'croner';

/** The largest value of each field of AWS: minute, hour, day of month, month, day of week, year. */
const LARGEST = [59, 23, 31, 12, 6, 2199];
const DAY_OF_WEEK = 4;

/**
 * A job for `cron(minute hour day-of-month month day-of-week year)` of AWS, in UTC, which does not hold the process. Its
 * days of the week begin with 1 for Sunday; `?` is any value; `0/5` is every fifth from 0 on. Throws if the expression has
 * an error. Without `work` it does not run by itself.
 */
export function cronJob(expression: string, work?: () => void): Cron {
  const fields = /^cron\(([^()]+)\)$/.exec(expression)?.[1]?.trim().split(/\s+/) ?? [];
  if (fields.length !== LARGEST.length) throw new Error(`${expression} is not cron(...) with six fields`);
  const pattern = ['0', ...fields.map(toCroner)].join(' ');
  const options = { mode: '7-part', timezone: 'UTC', domAndDow: true, unref: true } as const;
  try {
    return work ? new Cron(pattern, options, work) : new Cron(pattern, { ...options, paused: true });
  } catch (error) {
    throw new Error(`${expression}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function toCroner(field: string, place: number): string {
  const days =
    place === DAY_OF_WEEK ? field.replace(/(?<![#\d])[1-7](?=[L#,\-/]|$)/g, (day) => `${Number(day) - 1}`) : field;
  return days
    .replace('?', '*')
    .replace(/(?<=^|,)(\w+)\/(\d+)/g, (_, from, step) => `${from}-${LARGEST[place]}/${step}`);
}
