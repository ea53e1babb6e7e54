/** The providers' bills, and the days of an accountant, are days in China. China has one time, without summer time. */
const CHINA_MS = 8 * 3_600_000;
const DAY_MS = 24 * 3_600_000;

export interface Period {
  /** RFC 3339; the period ends before `to`. */
  from: string;
  to: string;
}

/** `2026-11-24`. Throws RangeError for another text. */
export const chinaDay = (day: string): Period => daysFrom(day, day);

/** From the beginning of the first day to the end of the last. */
export function daysFrom(first: string, last: string): Period {
  const midnight = (day: string): number => Date.parse(`${day}T00:00:00+08:00`);
  return { from: new Date(midnight(first)).toISOString(), to: new Date(midnight(last) + DAY_MS).toISOString() };
}

/** `2026-11-24 16:05:00`, the time of a clock in China. */
export const chinaTime = (time: string | number): string =>
  new Date(new Date(time).getTime() + CHINA_MS).toISOString().slice(0, 19).replace('T', ' ');

export const chinaDayOf = (time: string | number): string => chinaTime(time).slice(0, 10);

/** 30 February is not a day; JavaScript would turn it into a day in March. */
export function isDay(text: string): boolean {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** The day that is `days` later; negative: earlier. */
export const dayAfter = (day: string, days = 1): string =>
  new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);
