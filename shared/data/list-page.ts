import type { CacheRead } from '../admission/request.ts';
import { NOT_READ, type ReadAnswer } from '../cache/cache.ts';
import { filterCheck } from '../cache/existence-filter.ts';
import { drawGeneration, type PageLives, settlePage } from '../cache/pages.ts';
import { invalidInput } from '../errors.ts';
import { hotNameOf, keysOf, livesOf } from './cached-pages.ts';
import { OWNER } from './list.ts';
import { decodeCursor, encodeCursor } from './list-cursor.ts';
import { loadPage, type Page, type PageRequest } from './list-statement.ts';
import type { List, ListFilter, Resource } from './resource.ts';

/** Reads a page of a list: from the query of a call to its answer. */

/** A list with the values that the caller gave. Nothing of it needs an engine. */
interface ListQuery {
  list: List;
  /** In the order of the filters. */
  values: ReadonlyArray<string | number>;
  size: number;
  /** The cursor as it was sent; '': the first page. */
  cursor: string;
}

interface Caller {
  appId: string;
  /** '' for a list that is not the caller's own. */
  owner: string;
}

/** Throws INVALID_INPUT: an unknown list, filter, value or size, a missing filter, another parameter. */
export function parseListQuery(resource: Resource, query: Readonly<Record<string, string>>): ListQuery {
  const list = resource.lists?.find(({ name }) => name === query.list);
  if (!list) throw refused('list', 'expected the name of a list of this resource');
  const filters = list.filters ?? [];
  const known = new Set(['list', 'limit', 'after', ...filters.map(({ member }) => member)]);
  const unknown = Object.keys(query).find((name) => !known.has(name));
  if (unknown !== undefined) throw refused(unknown, 'unknown member');
  return {
    list,
    values: filters.map((filter) => filterValue(filter, query[filter.member])),
    size: pageSize(list, query.limit),
    cursor: query.after ?? '',
  };
}

const refused = (name: string, message: string) => invalidInput({ path: `query.${name}`, message });

function filterValue(filter: ListFilter, text: string | undefined): string | number {
  const { member } = filter;
  if ('idOf' in filter) {
    if (text === undefined || !/^[1-9]\d{0,15}$/.test(text))
      throw refused(member, `expected the id of a ${filter.idOf}`);
    return text;
  }
  const value = filter.values.find((known) => String(known) === text);
  if (value === undefined) throw refused(member, `expected one of ${filter.values.join(', ')}`);
  return value;
}

function pageSize({ sizes }: List, text: string | undefined): number {
  const size = text === undefined ? sizes[0] : sizes.find((allowed) => String(allowed) === text);
  if (size === undefined) throw refused('limit', `expected one of ${sizes.join(', ')}`);
  return size;
}

/** Everything that decides which records the list has, and for whom a cursor is valid. */
const scopeOf = (resource: Resource, { list, values }: ListQuery, { appId, owner }: Caller): string[] => [
  resource.name,
  JSON.stringify([list.name, list.filters?.map(({ member }) => member) ?? [], list.sort, list.owner ?? false]),
  JSON.stringify(values),
  appId,
  owner,
];

/** Throws INVALID_INPUT for a cursor of another list, user or app, and for an invented one. */
function requestOf(resource: Resource, asked: ListQuery, caller: Caller): PageRequest {
  const { list, values, size, cursor } = asked;
  const after = cursor === '' ? undefined : decodeCursor(scopeOf(resource, asked, caller), cursor);
  if (cursor !== '' && !after) throw refused('after', 'expected the `next` of the page before');
  const filters = (list.filters ?? []).map(({ member }, i) => ({ member, value: values[i] as string | number }));
  const equals = list.owner ? [...filters, { member: OWNER, value: caller.owner }] : filters;
  return { list, equals, size, after };
}

/** What admission reads for the page. Throws INVALID_INPUT. */
export function pageReadOf(resource: Resource, asked: ListQuery, caller: Caller): CacheRead {
  const request = requestOf(resource, asked, caller);
  const { page, generation } = keysOf(resource, request);
  const byId = request.list.filters?.findIndex((filter) => 'idOf' in filter) ?? -1;
  const filter = request.list.filters?.[byId];
  return {
    key: page,
    kind: request.list.apart ? 'apart-page' : 'page',
    hot: hotNameOf(resource, request),
    generation: { key: generation, drawn: drawGeneration() },
    ...(filter && 'idOf' in filter && { filter: filterCheck(filter.idOf, String(asked.values[byId])) }),
  };
}

interface ListAnswer {
  items: Page['items'];
  /** The cursor of the next page; undefined: this is the last one. */
  next?: string;
  cache: 'hit' | 'miss' | 'null' | 'stale';
}

/** Makes the page from admission's answer. Throws EngineError. */
export async function listPage(
  leaseId: string,
  resource: Resource,
  asked: ListQuery,
  caller: Caller,
  answer: ReadAnswer = NOT_READ,
): Promise<ListAnswer> {
  // The filter says that the id of the condition does not exist.
  if (answer.state === 'none') return { items: [], cache: 'null' };
  const request = requestOf(resource, asked, caller);
  const lives = (page: Page): PageLives => livesOf(resource, request, page);
  const load = (primary: boolean) => loadPage(resource, request, primary);
  const { page, cache } = await settlePage<Page>(leaseId, keysOf(resource, request), answer, lives, load);
  const { items, next } = page;
  return { items, ...(next && { next: encodeCursor(scopeOf(resource, asked, caller), next) }), cache };
}

/** Whether the list has the records of one user. */
export const hasOwner = ({ list }: ListQuery): boolean => list.owner === true;
