import { type PageLives, warmPage } from '../cache/pages.ts';
import { type Key, keyFamily } from '../keys.ts';
import { generationOf } from './generations.ts';
import { OWNER } from './list.ts';
import { loadPage, type Page, type PageRequest } from './list-statement.ts';
import type { List, Resource } from './resource.ts';

/** Pages in the cache: their keys, how long they live, and the first pages that cache-warm keeps. */

/** The members of a page change together with its records, at the latest after these times. */
const FIRST: PageLives = { freshSeconds: 50, graceSeconds: 240 };
const DEEP: PageLives = { freshSeconds: 15, graceSeconds: 0 };
const EMPTY: PageLives = { freshSeconds: 30, graceSeconds: 0 };
/** Of pages that cache-warm loads: fresh until its next run, and at most 295 s in the cache, as other first pages. */
const WARM: PageLives = { freshSeconds: 90, graceSeconds: 196 };
/** From this page on pages are deep: few read them, and somebody who walks through a list must not fill Redis. */
const DEEP_FROM = 10;

const pageKey = keyFamily<[string, string]>({
  area: 'cache',
  name: 'page',
  version: 1,
  parts: ['id', 'text'],
  ttlSeconds: 320,
});

export function keysOf(resource: Resource, { list, equals, size, after }: PageRequest): { page: Key; generation: Key } {
  const place = after ? `${after.depth}.${after.id}.${after.value}` : '';
  const cut = equals.find(({ member }) => member === list.per);
  return {
    page: pageKey(resource.name, JSON.stringify([list.name, list.sort, list.members ?? [], equals, size, place])),
    generation: generationOf(resource, list.per, cut?.value),
  };
}

/**
 * Users who write a list move its places, and each former cursor is a page of its own. So only its first page lives
 * long.
 */
export const livesOf = ({ writers }: Resource, { after }: PageRequest, { items }: Page): PageLives => {
  if (after && (writers || after.depth >= DEEP_FROM)) return DEEP;
  return items.length === 0 ? EMPTY : FIRST;
};

/** All pages of a list have one name among the hot keys. It has no user: all lists of owners are counted together. */
export const hotNameOf = ({ name }: Resource, { list, equals }: PageRequest): string =>
  [
    `${name}?list=${list.name}`,
    ...equals.filter(({ member }) => member !== OWNER).map(({ member, value }) => `${member}=${value}`),
  ].join('&');

/** The first page, in the default size, of each known value of the lists that are kept warm. */
export const warmRequests = (resource: Resource): PageRequest[] =>
  (resource.lists ?? []).filter(({ warm }) => warm).flatMap(firstPages);

function firstPages(list: List): PageRequest[] {
  let conditions: Array<PageRequest['equals']> = [[]];
  for (const filter of list.filters ?? []) {
    const values = 'values' in filter ? filter.values : [];
    conditions = conditions.flatMap((equals) => values.map((value) => [...equals, { member: filter.member, value }]));
  }
  return conditions.map((equals) => ({ list, equals, size: list.sizes[0] as number, after: undefined }));
}

/** Loads the page if it is missing or ends within `aheadMs`. false: it did not need it. Throws EngineError. */
export const keepWarm = (resource: Resource, request: PageRequest, aheadMs: number): Promise<boolean> =>
  warmPage<Page>(
    keysOf(resource, request),
    aheadMs,
    () => WARM,
    (primary) => loadPage(resource, request, primary),
  );
