import { OWNER } from '../shared/data/list.ts';
import { loadPage, type PageRequest } from '../shared/data/list-statement.ts';
import { checkId } from '../shared/data/records.ts';
import type { List, ListFilter, Resource } from '../shared/data/resource.ts';
import { type Given, type Printed, UsageError } from './command.ts';
import { pairForm, shortValue, unknownName } from './data-members.ts';
import { translated } from './language.ts';
import { table } from './table.ts';

/** Lists of a resource for operators: which there are, and their pages from the primary, without the cache. */
const MAX_PAGE_SIZE = 100;
type Place = NonNullable<PageRequest['after']>;

export async function pageOfList(resource: Resource, given: Given): Promise<Printed> {
  const request = requestOf(resource, given);
  const { items, next } = await loadPage(resource, request, true);
  const after = next && placeText(next);
  const json = { resource: resource.name, list: request.list.name, items, ...(after && { next: after }) };
  const command = after && `Next page: ${nextCommand(resource, given, after)}`;
  return { json, text: [...itemRows(resource, request.list, items, given), ...(command ? [command] : [])] };
}

/** Throws UsageError. */
function requestOf(resource: Resource, given: Given): PageRequest {
  const list = listNamed(resource, given.text('list'));
  const filters = equalsOf(list, given.all('filter'));
  const user = given.optional('user');
  if (list.owner && user === undefined)
    throw new UsageError(`list ${list.name} is of one user: name it with --user ID`);
  if (!list.owner && user !== undefined) throw new UsageError(`list ${list.name} is of all users: it takes no --user`);
  return {
    list,
    equals: user === undefined ? filters : [...filters, { member: OWNER, value: user }],
    size: given.optional('limit') ? given.integer('limit', { min: 1, max: MAX_PAGE_SIZE }) : (list.sizes[0] ?? 20),
    after: placeOf(list, given.optional('after')),
  };
}

function listNamed({ name: resource, lists = [] }: Resource, name: string): List {
  const list = lists.find((one) => one.name === name);
  if (list) return list;
  const names = lists.map((one) => one.name);
  throw unknownName(`${resource} has no list "${name}"`, name, names);
}

function equalsOf({ name, filters = [] }: List, words: readonly string[]): PageRequest['equals'] {
  const given = new Map<string, string>();
  for (const word of words) {
    const [member, value] = pairForm('filter', word);
    const known = filters.map((filter) => filter.member);
    if (known.length === 0) throw new UsageError(`list ${name} takes no --filter`);
    if (!known.includes(member)) throw unknownName(`list ${name} has no filter "${member}"`, member, known);
    if (given.has(member)) throw new UsageError(`--filter ${member} is given twice`);
    given.set(member, value);
  }
  return filters.map((filter) => ({
    member: filter.member,
    value: filterValue(name, filter, given.get(filter.member)),
  }));
}

function filterValue(list: string, filter: ListFilter, text: string | undefined): string | number {
  const { member } = filter;
  if (text === undefined) throw new UsageError(`list ${list} needs --filter ${filterText(filter)}`);
  if ('idOf' in filter) return checkId(text);
  const value = filter.values.find((known) => String(known) === text);
  if (value !== undefined) return value;
  throw new UsageError(`--filter ${member} takes one of ${filter.values.join(', ')}, not "${text}"`);
}

const filterText = (filter: ListFilter): string =>
  `${filter.member}=${'idOf' in filter ? `<${filter.idOf} id>` : filter.values.join('|')}`;

/** `17.1767225600000`: the id and the sort value of the last record of a page. A list that is sorted by id has no value. */
const placeText = ({ id, value }: Place): string => (value === '' ? id : `${id}.${value}`);

function placeOf({ sort }: List, text: string | undefined): Place | undefined {
  if (text === undefined) return undefined;
  const [, id = '', value = ''] = /^([1-9]\d{0,15})(?:\.(-?\d{1,15}))?$/.exec(text) ?? [];
  if (id !== '' && (sort.member === 'id') === (value === '')) return { depth: 0, id, value };
  throw new UsageError(`--after takes what the page before printed, not "${text}"`);
}

/** Names of members are not translated: they are what `--filter` and `--member` take. */
function itemRows(resource: Resource, list: List, items: ReadonlyArray<Record<string, unknown>>, { display }: Given) {
  if (items.length === 0) return [translated('none')];
  const columns = resource.columns.filter(({ member }) => list.members?.includes(member) ?? true);
  const names = ['id', ...columns.map(({ member }) => member), ...(resource.writers ? ['version'] : [])];
  const times = new Set(columns.filter(({ kind }) => kind === 'time').map(({ member }) => member));
  const rows = items.map((item) =>
    names.map((name) => (times.has(name) ? display.time(String(item[name])) : shortValue(item[name]))),
  );
  return table(Array(names.length).fill(''), [names, ...rows]).slice(1);
}

function nextCommand(resource: Resource, given: Given, after: string): string {
  const options = ['list', 'filter', 'limit', 'user', 'data', 'time', 'money', 'lang'];
  const words = options.flatMap((name) => given.all(name).flatMap((value) => [`--${name}`, quoted(value)]));
  return `npm run -s portal -- data list ${resource.name} ${[...words, '--after', after].join(' ')}`;
}

/** A word for the shell. */
const quoted = (word: string): string => (/^[\w=.,:/@+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** Which lists the resource has, and what they need. Throws UsageError for an option that only a page takes. */
export function listsOf({ name, lists = [] }: Resource, given: Given): Printed {
  const option = ['filter', 'user', 'limit', 'after'].find((known) => given.all(known).length > 0);
  if (option) throw new UsageError(`--${option} needs --list NAME`);
  const json = lists.map(({ name, filters = [], owner = false, sort }) => ({ name, filters, owner, sort }));
  const rows = lists.map(({ name, filters = [], owner, sort }) => [
    name,
    filters.map(filterText).join(' '),
    owner ? '--user' : '',
    `${sort.member} ${sort.direction}`,
  ]);
  return { json: { resource: name, lists: json }, text: table(['list', 'filter', 'user', 'order'], rows) };
}
