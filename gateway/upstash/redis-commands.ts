import { findOption } from './command-options.ts';
import type { Argument, Reply } from './redis-connection.ts';

/** Where a command has its keys: one key specification of Redis' reply to COMMAND. Position 0 is the command's name. */
export interface KeySpec {
  /**
   * The position of the first key. With a `keyword`: the position where the search for it begins (negative: backwards,
   * from the end).
   */
  from: number;
  keyword: string;
  find:
    | { kind: 'range'; last: number; step: number; limit: number }
    | { kind: 'count'; at: number; first: number; step: number };
}

export interface CommandFacts {
  /** `'unknown'`: the arguments alone do not show the keys (SORT ... BY). */
  keys: KeySpec[] | 'unknown';
  /** Reads only, and is not one of the commands that can slow the server down (KEYS). */
  harmlessRead: boolean;
  hasSubcommands: boolean;
}

/** Facts by upper-case name, or by `NAME|SUBCOMMAND`. */
export type CommandTable = ReadonlyMap<string, CommandFacts>;

const text = (reply: Reply | undefined): string => (reply == null ? '' : String(reply));
const list = (reply: Reply | undefined): Reply[] => (Array.isArray(reply) ? reply : []);

/** A map, which RESP2 sends as a flat list of names and values. */
function fields(reply: Reply | undefined): Map<string, Reply> {
  const flat = list(reply);
  const map = new Map<string, Reply>();
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(text(flat[i]), flat[i + 1] as Reply);
  return map;
}

/** Reads the reply of `COMMAND`. Throws for a Redis older than 7. */
export function readCommandTable(reply: Reply): CommandTable {
  const table = new Map<string, CommandFacts>();
  const read = (entry: Reply) => {
    const facts = list(entry);
    const categories = new Set(list(facts[6]).map(text));
    const subcommands = list(facts[9]);
    table.set(text(facts[0]).toUpperCase(), {
      keys: readKeySpecs(list(facts[8])),
      harmlessRead: categories.has('@read') && !categories.has('@dangerous'),
      hasSubcommands: subcommands.length > 0,
    });
    subcommands.forEach(read);
  };
  list(reply).forEach(read);
  // Before Redis 7 there are no key specifications, and the check of keys would accept everything.
  if (table.get('GET')?.keys.length !== 1)
    throw new Error('This Redis reports no key specifications. Use Redis 7 or later, or Valkey.');
  return table;
}

function readKeySpecs(replies: Reply[]): KeySpec[] | 'unknown' {
  const specs: KeySpec[] = [];
  for (const reply of replies) {
    const spec = fields(reply);
    const flags = list(spec.get('flags')).map(text);
    if (flags.includes('not_key')) continue;
    const begin = fields(spec.get('begin_search'));
    const find = fields(spec.get('find_keys'));
    const start = fields(begin.get('spec'));
    const shape = fields(find.get('spec'));
    const number = (map: Map<string, Reply>, name: string) => Number(text(map.get(name)));
    const kind = text(find.get('type'));
    const word = text(begin.get('type'));
    if (flags.includes('incomplete') || !['index', 'keyword'].includes(word) || !['range', 'keynum'].includes(kind))
      return 'unknown';
    specs.push({
      from: word === 'index' ? number(start, 'index') : number(start, 'startfrom'),
      keyword: word === 'index' ? '' : text(start.get('keyword')).toUpperCase(),
      find:
        kind === 'range'
          ? {
              kind: 'range',
              last: number(shape, 'lastkey'),
              step: number(shape, 'keystep'),
              limit: number(shape, 'limit'),
            }
          : {
              kind: 'count',
              at: number(shape, 'keynumidx'),
              first: number(shape, 'firstkey'),
              step: number(shape, 'keystep'),
            },
    });
  }
  return specs;
}

/** The keys of a command, whose name is the first element. Empty when the arguments do not show the keys. */
export function keysOf(table: CommandTable, command: readonly Argument[]): Argument[] {
  const name = String(command[0]).toUpperCase();
  const facts = table.get(name);
  const specs = facts?.hasSubcommands
    ? table.get(`${name}|${String(command[1]).toUpperCase()}`)?.keys
    : (facts?.keys ?? []);
  if (specs === undefined || specs === 'unknown') return [];
  return specs.flatMap((spec) => keysBySpec(spec, command));
}

function keysBySpec(spec: KeySpec, command: readonly Argument[]): Argument[] {
  let first = spec.from;
  if (spec.keyword !== '') {
    const at = findKeyword(spec, command);
    if (at === undefined) return [];
    first = at + 1;
  }
  const { find } = spec;
  let last: number;
  if (find.kind === 'count') {
    const count = Number(String(command[first + find.at]));
    first += find.first;
    last = first + (count - 1) * find.step;
  } else if (find.last >= 0) last = first + find.last;
  else if (find.limit < 2) last = command.length + find.last;
  else last = first + Math.floor((command.length - first) / find.limit) + find.last;
  const keys: Argument[] = [];
  for (let at = first; at <= last && at < command.length; at += find.step) keys.push(command[at] as Argument);
  return keys;
}

function findKeyword({ from, keyword }: KeySpec, command: readonly Argument[]): number | undefined {
  // Redis' specification of XREADGROUP starts after the group, but the options may come in any order.
  if (from > 0) return findOption(command, keyword, keyword === 'STREAMS' ? 1 : from);
  for (let at = command.length + from; at > 0; at -= 1) if (String(command[at]).toUpperCase() === keyword) return at;
  return undefined;
}

export function isHarmlessRead(table: CommandTable, command: readonly Argument[]): boolean {
  const name = String(command[0]).toUpperCase();
  // Redis does not mark SCAN as dangerous, but Upstash refuses it for the read-only token.
  if (name === 'SCAN') return false;
  const facts = table.get(name);
  if (!facts?.hasSubcommands) return facts?.harmlessRead ?? false;
  return table.get(`${name}|${String(command[1]).toUpperCase()}`)?.harmlessRead ?? false;
}
