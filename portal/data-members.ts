import type { ResourceRecord } from '../shared/data/records.ts';
import type { Column, Resource } from '../shared/data/resource.ts';
import { type Display, type Given, UsageError } from './command.ts';
import { jsonForm, writtenText } from './forms.ts';
import { nearest } from './nearest.ts';
import { table } from './table.ts';

/** Members of a record: as an operator types them, and as they are shown. */
type Members = Record<string, string | number>;

/** `[member, value]` of `member=value`. The value may hold more of `=`, or nothing. Throws UsageError. */
export function pairForm(option: string, word: string): [name: string, value: string] {
  const [, name, value = ''] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
  if (name === undefined) throw new UsageError(`--${option} takes member=value, not "${word}"`);
  return [name, value];
}

/** What a put is given: either the whole record as JSON, or single members of it. Throws UsageError. */
export function writtenMembers(resource: Resource, given: Given): { all: unknown } | { some: Members } {
  const [json, words] = [given.optional('json-body'), given.all('member')];
  if (json !== undefined && words.length > 0) throw new UsageError('give --member or --json-body, not both');
  if (json !== undefined) return { all: jsonForm('json-body', json) };
  if (words.length > 0) return { some: membersForm(resource, words) };
  throw new UsageError('give the members: --member member=value, or all of them with --json-body JSON');
}

/** Words such as `title=Open` by the declaration of the resource. Throws UsageError. */
function membersForm(resource: Resource, words: readonly string[]): Members {
  const members: Members = {};
  for (const word of words) {
    const [name, text] = pairForm('member', word);
    const column = columnNamed(resource, name);
    if (Object.hasOwn(members, name)) throw new UsageError(`--member ${name} is given twice`);
    members[name] = memberValue(column, fullText(name, text));
  }
  return members;
}

function columnNamed({ name: resource, columns }: Resource, name: string): Column {
  const column = columns.find(({ member }) => member === name);
  if (column) return column;
  throw unknownName(`${resource} has no member "${name}"`, name, memberNames(columns));
}

const memberNames = (columns: readonly Column[]): string[] => columns.map(({ member }) => member);

/** Names what was probably meant, otherwise all that there is. */
export function unknownName(sentence: string, name: string, known: readonly string[]): UsageError {
  const meant = nearest(name, known);
  return new UsageError(`${sentence}${meant ? `; did you mean ${meant}?` : `; there is: ${known.join(', ')}`}`);
}

/** `@file` is the text of that file, `@@` begins a text with one `@`. */
function fullText(name: string, text: string): string {
  if (text.startsWith('@@')) return text.slice(1);
  return text.startsWith('@') ? writtenText(`member ${name}`, text.slice(1)) : text;
}

function memberValue({ member, kind }: Column, text: string): string | number {
  if (kind === 'time') return timeForm(member, text);
  if (kind !== 'integer') return text;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`--member ${member} takes a whole number, not "${text}"`);
}

const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,3})?)? ?(Z|[+-]\d\d:\d\d)$/;

/** RFC 3339, also as the portal prints it with `--time`. */
function timeForm(member: string, text: string): string {
  const [, day, minute, second = ':00', zone] = TIME.exec(text) ?? [];
  const midnight = new Date(`${day}T00:00Z`);
  const at = new Date(`${day}T${minute}${second}${zone}`);
  // A day such as February 30 becomes another one.
  const isDay = !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(`${day}`);
  if (isDay && !Number.isNaN(at.getTime())) return at.toISOString();
  throw new UsageError(`--member ${member} takes a time such as 2026-01-01T09:00:00Z, not "${text}"`);
}

/** One member a line, in the order of the declaration. Names are not translated: `--member` takes them. */
export function recordRows({ columns }: Resource, record: ResourceRecord, display: Display): string[] {
  const times = columns.filter(({ kind }) => kind === 'time').map(({ member }) => member);
  const rows = Object.entries(record).map(([name, value]) => {
    const text = times.includes(name) ? display.time(String(value)) : String(value);
    // A further line of a text must not look like another member.
    return [name, text.replaceAll('\n', '\n    ')];
  });
  return table(['', ''], rows).slice(1);
}

const LONGEST = 60;

/** A value in one line that is not too long for a terminal. */
export function shortValue(value: unknown): string {
  const line = String(value).replaceAll('\n', '\\n');
  const characters = [...line];
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST - 1).join('')}…` : line;
}
