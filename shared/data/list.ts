import type { Column, List, Resource } from './resource.ts';

/** Checks the lists of a resource, and finds its columns. */
const MAX_PAGE_SIZE = 100;
/** Of one list. cache-warm loads them every minute. */
const MAX_WARM_PAGES = 100;

/** Rejects a list that could not be served: called for each resource at start-up, and by a test with wrong lists. */
export function checkLists(resource: Resource, all: ReadonlyMap<string, Resource>): void {
  const names = new Set<string>();
  for (const list of resource.lists ?? []) {
    const refuse = (reason: string): never => {
      throw new Error(`list ${list.name} of ${resource.name}: ${reason}`);
    };
    if (!/^[a-z][a-z0-9-]{0,39}$/.test(list.name) || names.has(list.name))
      refuse('its name is not valid or not unique');
    names.add(list.name);
    if (!/^[a-z][a-z0-9_]{0,62}$/.test(list.index)) refuse('its index has no valid name');
    checkSizes(list, refuse);
    checkSort(resource, list, refuse);
    checkFilters(resource, list, all, refuse);
    checkCut(resource, list, refuse);
    for (const member of list.members ?? []) columnOf(resource, member) ?? refuse(`there is no member ${member}`);
    if (list.warm && (list.owner || list.filters?.some((filter) => 'idOf' in filter))) {
      refuse('only lists with known values can be warmed');
    }
    if (list.warm && numberOfValues(list) > MAX_WARM_PAGES) refuse(`more than ${MAX_WARM_PAGES} pages would be warmed`);
  }
}

/** How many combinations of known values its filters have. */
const numberOfValues = ({ filters = [] }: List): number =>
  filters.reduce((product, filter) => product * ('values' in filter ? filter.values.length : 1), 1);

type Refuse = (reason: string) => never;

function checkSizes({ sizes }: List, refuse: Refuse): void {
  const wrong = sizes.filter((size) => !Number.isInteger(size) || size < 1 || size > MAX_PAGE_SIZE);
  if (sizes.length === 0 || wrong.length > 0) refuse(`sizes are whole numbers from 1 to ${MAX_PAGE_SIZE}`);
}

function checkSort(resource: Resource, { sort }: List, refuse: Refuse): void {
  if (sort.member === 'id') return;
  const column = columnOf(resource, sort.member);
  if (!column || !(column.kind === 'integer' || column.kind === 'time'))
    refuse('it is sorted by id, a whole number or a time');
}

function checkFilters(resource: Resource, list: List, all: ReadonlyMap<string, Resource>, refuse: Refuse): void {
  const filters = list.filters ?? [];
  if (new Set(filters.map(({ member }) => member)).size < filters.length) refuse('two filters have the same member');
  if (filters.filter((filter) => 'idOf' in filter).length > 1) refuse('one filter may be an id of another resource');
  for (const filter of filters) {
    const { member } = filter;
    if (!columnOf(resource, member)) refuse(`there is no member ${member}`);
    if (member === list.sort.member) refuse('it cannot be sorted by a filter');
    if (RESERVED.has(member)) refuse(`a filter cannot be called ${member}`);
    if ('idOf' in filter && !all.get(filter.idOf)?.filtered) refuse(`${filter.idOf} has no existence filter`);
    if ('values' in filter && filter.values.length === 0) refuse(`filter ${member} has no value`);
  }
  const ownsRecords = columnOf(resource, OWNER) !== undefined;
  if (list.owner && !ownsRecords) refuse(`its resource has no member ${OWNER}`);
  if (resource.readers === 'owner' && !list.owner) refuse('records that only their owner may read need an owner list');
}

function checkCut(resource: Resource, list: List, refuse: Refuse): void {
  const { per } = list;
  if (per === undefined) return;
  const given = list.filters?.some(({ member }) => member === per) || (list.owner && per === OWNER);
  if (!given) refuse(`${per} is no condition of it`);
  if (!resource.fixed?.includes(per)) refuse(`${per} may change, so it cannot cut the list`);
}

export const OWNER = 'userId';
/** Parameters of the route itself. */
const RESERVED = new Set(['ids', 'list', 'limit', 'after', 'user']);

export const columnOf = ({ columns }: Resource, member: string): Column | undefined =>
  columns.find((column) => column.member === member);
