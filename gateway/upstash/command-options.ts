import type { Argument } from './redis-connection.ts';

/** How many arguments follow an option. An option that is not in the list has none. */
export const OPTION_ARGUMENTS: ReadonlyMap<string, number> = new Map([
  ['BLOCK', 1],
  ['CLAIM', 1],
  ['COUNT', 1],
  ['GROUP', 2],
  ['STORE', 1],
  ['STOREDIST', 1],
]);

/**
 * The position of an option, by the grammar of XREAD, XREADGROUP and GEORADIUS: the value of an option is never read as
 * an option, and STREAMS ends the options. undefined: it is not there.
 */
export function findOption(command: readonly Argument[], option: string, from: number): number | undefined {
  let at = from;
  while (at < command.length) {
    const word = optionName(command[at] as Argument);
    if (word === option) return at;
    if (word === 'STREAMS') return undefined;
    at += 1 + (OPTION_ARGUMENTS.get(word) ?? 0);
  }
  return undefined;
}

/** Redis compares options as C strings, which end at the first zero byte: `BLOCK\0x` is BLOCK. */
function optionName(argument: Argument): string {
  const text = String(argument);
  const end = text.indexOf('\0');
  return (end === -1 ? text : text.slice(0, end)).toUpperCase();
}
