import { isDay } from './books/china-day.ts';

/** TIMESTAMP columns end in 2038. */
export const LAST_END = '2037-12-31T23:59:59Z';
const FORM = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/;

/** Whether the text can be the end of granted units: RFC 3339, on a day that exists. It may be past. */
export const isLotEnd = (text: string): boolean =>
  FORM.test(text) && isDay(text.slice(0, 10)) && Date.parse(text) <= Date.parse(LAST_END);
