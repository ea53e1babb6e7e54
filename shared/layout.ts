import type { Key } from './keys.ts';
import type { Lua } from './script.ts';

/**
 * Names for what TypeScript and a Lua script exchange. Both ends use the names of one declaration, so neither counts
 * positions. The script has to define key(), which returns the next key and its value; other(), which returns the next
 * key of those that the script does not read beforehand; take(), the next argument; number(), the next argument as a
 * number; and int(n), a number as text.
 */
type Kind = 'key' | 'other' | 'text' | 'number' | 'flag';
type Fields = Readonly<Record<string, Kind>>;
interface KindValues {
  key: Key;
  other: Key;
  text: string | number;
  number: number;
  flag: boolean;
}
interface AnswerValues {
  key: never;
  other: never;
  text: string;
  number: number;
  flag: boolean;
}

/** Keys and arguments of a script, or of a part of one. */
export interface Packed {
  keys: Key[];
  /** They follow all of `keys`. */
  others: Key[];
  args: Array<string | number>;
}

interface Layout<F extends Fields> {
  /**
   * Lua: takes the fields into new locals. A field `counter` of kind key gives `counterKey` and `counter`, its value.
   */
  take: Lua;
  /** Lua: declares the locals, for fields that are taken only sometimes. */
  declare: Lua;
  /** Lua: takes the fields into the declared locals. */
  assign: Lua;
  /** Lua: the locals of these names as a list, for an answer. */
  give: Lua;
  /** How many fields there are. */
  length: number;
  /** Adds the values to `packed`. */
  pack(packed: Packed, values: { [Name in keyof F]: KindValues[F[Name]] }): void;
  /** The fields of an answer, from this place of it on. */
  read(answer: readonly string[], from: number): { [Name in keyof F]: AnswerValues[F[Name]] };
}

export const nothingPacked = (): Packed => ({ keys: [], others: [], args: [] });

/** What takes a field of this kind. Arguments are taken in one line, keys each in a line of their own. */
const TAKE = { key: 'key()', other: 'other()', text: 'take()', number: 'number()', flag: "take() == '1'" } as const;
const isKey = (kind: Kind): boolean => kind === 'key' || kind === 'other';
const localsOf = (name: string, kind: Kind): string =>
  kind === 'key' ? `${name}Key, ${name}` : kind === 'other' ? `${name}Key` : name;

/** Keys, other keys and arguments are three lists. In each the fields have the order of the declaration. */
export function layout<const F extends Fields>(fields: F): Layout<F> {
  const entries = Object.entries(fields);
  const locals = entries.map(([name, kind]) => localsOf(name, kind));
  const lines = entries
    .filter(([, kind]) => isKey(kind))
    .map(([name, kind]) => `${localsOf(name, kind)} = ${TAKE[kind]}`);
  const args = entries.filter(([, kind]) => !isKey(kind));
  if (args.length > 0) {
    lines.push(`${args.map(([name]) => name).join(', ')} = ${args.map(([, kind]) => TAKE[kind]).join(', ')}`);
  }
  const text = (of: string): Lua => of as Lua;
  return {
    take: text(lines.map((line) => `local ${line}`).join('\n')),
    declare: text(`local ${locals.join(', ')}`),
    assign: text(lines.join('\n')),
    give: text(entries.map(([name, kind]) => giveOne(name, kind)).join(', ')),
    length: entries.length,
    pack(packed, values) {
      for (const [name, kind] of entries) {
        const value = values[name];
        if (kind === 'key') packed.keys.push(value as Key);
        else if (kind === 'other') packed.others.push(value as Key);
        else packed.args.push(kind === 'flag' ? (value ? '1' : '0') : (value as string | number));
      }
    },
    read: (answer, from) =>
      Object.fromEntries(entries.map(([name, kind], at) => [name, readOne(answer[from + at] ?? '', kind)])) as never,
  };
}

function giveOne(name: string, kind: Kind): string {
  if (kind === 'flag') return `${name} and '1' or '0'`;
  return kind === 'number' ? `int(${name})` : name;
}

function readOne(value: string, kind: Kind): string | number | boolean {
  if (kind === 'flag') return value === '1';
  return kind === 'number' ? Number(value) : value;
}

/** Names for the letters of a field that holds several flags. */
interface Letters<F extends Readonly<Record<string, string>>> {
  /** The letters of the names that are true. */
  pack(flags: { [Name in keyof F]: boolean }): string;
  /** Lua: each letter in quotes, by name. */
  lua: { [Name in keyof F]: Lua };
}

export function letters<const F extends Readonly<Record<string, string>>>(names: F): Letters<F> {
  const entries = Object.entries(names);
  return {
    pack: (flags) => entries.flatMap(([name, letter]) => (flags[name] ? [letter] : [])).join(''),
    lua: Object.fromEntries(entries.map(([name, letter]) => [name, `'${letter}'`])) as never,
  };
}
