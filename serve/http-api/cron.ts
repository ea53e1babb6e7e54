import { Cron } from 'croner';

interface Field {
  name: string;
  first: number;
  last: number;
  /** Words that may stand for the values from `first` on. */
  words?: string[];
}

const FIELDS: Field[] = [
  { name: 'minute', first: 0, last: 59 },
  { name: 'hour', first: 0, last: 23 },
  { name: 'day of the month', first: 1, last: 31 },
  { name: 'month', first: 1, last: 12, words: 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ') },
  { name: 'day of the week', first: 1, last: 7, words: 'SUN MON TUE WED THU FRI SAT'.split(' ') },
  { name: 'year', first: 1970, last: 2199 },
];
const DAY_OF_MONTH = 2;
const DAY_OF_WEEK = 4;

/**
 * A job for `cron(minute hour day-of-month month day-of-week year)` of AWS, which does not hold the process. Accepts
 * what AWS documents and throws for anything else, so that an expression that works here can be deployed. Without
 * `work` it does not run by itself.
 */
export function cronJob(expression: string, timezone: string, work?: () => void): Cron {
  const fields = /^cron\(([^()]+)\)$/.exec(expression)?.[1]?.trim().split(/\s+/) ?? [];
  if (fields.length !== FIELDS.length) throw new Error(`${expression} is not cron(...) with six fields`);
  if ((fields[DAY_OF_MONTH] === '?') === (fields[DAY_OF_WEEK] === '?')) {
    throw new Error(`${expression}: one of the two day fields must be ?, and only one`);
  }
  try {
    const pattern = ['0', ...fields.map(toCroner)].join(' ');
    const options = { mode: '7-part', timezone, domAndDow: true, unref: true } as const;
    const job = work ? new Cron(pattern, options, work) : new Cron(pattern, { ...options, paused: true });
    job.nextRun(); // throws if there is no such time zone
    return job;
  } catch (error) {
    throw new Error(`${expression}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function toCroner(text: string, place: number): string {
  const field = FIELDS[place] as Field;
  if (place === DAY_OF_MONTH) return dayOfMonth(text, field);
  if (place === DAY_OF_WEEK) return dayOfWeek(text, field);
  return list(text, field);
}

function dayOfMonth(text: string, field: Field): string {
  if (text === '?') return '*';
  if (text === 'L') return text;
  const [, weekday] = /^(\d+)W$/.exec(text) ?? [];
  return weekday ? `${numberOf(weekday, field)}W` : list(text, field);
}

/** The week of AWS begins with 1 for Sunday, that of croner with 0. */
function dayOfWeek(text: string, field: Field): string {
  if (text === '?') return '*';
  if (text === 'L') return '6';
  if (text.includes('/')) throw new Error(`the ${field.name} takes no step: ${text}`);
  const [, day, which] = /^(\w+?)(L|#[1-5])$/.exec(text) ?? [];
  return day && which ? `${numberOf(day, field) - 1}${which}` : list(text, field, -1);
}

/** Values, ranges and steps, separated by commas. `0/5` is every fifth value from 0 on. */
function list(text: string, field: Field, shift = 0): string {
  return text
    .split(',')
    .map((part) => {
      const [, from, to, step] = /^(\*|\w+)(?:-(\w+))?(?:\/([1-9]\d*))?$/.exec(part) ?? [];
      if (!from || (from === '*' && to)) throw new Error(`not a ${field.name}: ${text}`);
      if (from === '*') return part;
      const first = numberOf(from, field) + shift;
      if (!to && !step) return String(first);
      const last = (to ? numberOf(to, field) : field.last) + shift;
      if (first > last) throw new Error(`the range of the ${field.name} ends before it begins: ${text}`);
      return `${first}-${last}${step ? `/${step}` : ''}`;
    })
    .join(',');
}

function numberOf(text: string, { name, first, last, words = [] }: Field): number {
  const word = words.indexOf(text.toUpperCase());
  const value = word >= 0 ? first + word : /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= first && value <= last)) throw new Error(`not a ${name}: ${text}`);
  return value;
}
