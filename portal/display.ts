import { type Display, UsageError } from './command.ts';
import { translated } from './language.ts';

export const MONEY = ['fen', 'yuan'];

/** `zone`: `utc`, `local` or a name such as Asia/Shanghai. Throws UsageError. */
export function displayFor(zone: string, money: string): Display {
  if (!MONEY.includes(money)) throw new UsageError(`--money takes one of ${MONEY.join(', ')}, not "${money}"`);
  return {
    time: zone === 'utc' ? (at) => at ?? '' : timeIn(zone),
    money: (fen) => translated(money === 'fen' ? `${fen} fen` : `${yuan(fen)} yuan`),
  };
}

/** `2026-11-27 16:05:00 +08:00` */
function timeIn(zone: string): Display['time'] {
  const format = formatIn(zone);
  return (at) => {
    if (!at) return '';
    const parts = Object.fromEntries(format.formatToParts(new Date(at)).map(({ type, value }) => [type, value]));
    const { year, month, day, hour, minute, second, timeZoneName = '' } = parts;
    const offset = timeZoneName.replace('GMT', '') || '+00:00';
    return `${year}-${month}-${day} ${hour}:${minute}:${second} ${offset}`;
  };
}

function formatIn(zone: string): Intl.DateTimeFormat {
  const two = '2-digit';
  try {
    return new Intl.DateTimeFormat('en-GB', {
      ...(zone !== 'local' && { timeZone: zone }),
      year: 'numeric',
      month: two,
      day: two,
      hour: two,
      minute: two,
      second: two,
      timeZoneName: 'longOffset',
    });
  } catch {
    throw new UsageError(`--time takes utc, local or a time zone such as Asia/Shanghai, not "${zone}"`);
  }
}

/** Computed with whole numbers: 0.1 + 0.2 is not 0.3. */
export function yuan(fen: number): string {
  const digits = String(Math.abs(fen)).padStart(3, '0');
  return `${fen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
