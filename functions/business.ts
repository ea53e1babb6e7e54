import * as v from 'valibot';
import { hasOwner, listPage, pageReadOf, parseListQuery } from '../shared/data/list-page.ts';
import { checkId, readOf, recordsFrom, visibleTo } from '../shared/data/records.ts';
import type { Resource } from '../shared/data/resource.ts';
import { getResource, lockTargetOf } from '../shared/data/resources.ts';
import { withAddresses } from '../shared/data/upload-addresses.ts';
import { AppError, invalidInput } from '../shared/errors.ts';
import { Answer } from '../shared/http/answer.ts';
import type { CallingApp } from '../shared/http/caller.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { serve } from '../shared/http/lambda.ts';
import { checkMayName, namedUser } from '../shared/http/named-user.ts';

const id = v.pipe(v.string(), v.transform(checkId));
const ids = v.pipe(
  v.string(),
  v.transform((text) => [...new Set(text.split(',').map(checkId))]),
  v.maxLength(100, 'expected 1 to 100 ids'),
);

const readOne = endpoint(
  {
    route: 'GET /data/{resource}/{id}',
    auth: 'by-input',
    scope: 'data:read',
    open: 'open:data',
    path: v.object({ resource: v.string(), id }),
    query: v.strictObject({ user: namedUser }),
    lookup: ({ path, query }, app) => {
      const resource = getResource(path.resource);
      return { resource, named: userNamed(app, query.user, isOwned(resource)) };
    },
    needsUser: ({ resource, named }) => isOwned(resource) && named === undefined,
    targets: ({ resource }) => [lockTargetOf(resource)],
    identities: ({ resource, path }) => ({ resource: `${resource.name}:${path.id}` }),
    reads: ({ resource, path }) => [readOf(resource, path.id)],
  },
  async ({ resource, path, reads, leaseId, user, named }) => {
    const [found] = await recordsFrom(leaseId, resource, [path.id], reads);
    const record = visibleTo(named ?? user?.userId, resource, found?.value ?? null);
    // The same answer, byte for byte, for an absent id and for another user's record.
    if (!found || !record) throw new AppError('NOT_FOUND', undefined, { headers: { 'x-cache': 'null' } });
    return new Answer(withAddresses(resource, record), { 'x-cache': found.cache });
  },
);

const readMany = endpoint(
  {
    route: 'GET /data/{resource}',
    auth: 'by-input',
    scope: 'data:read',
    open: 'open:data',
    path: v.object({ resource: v.string() }),
    // Either ids, or a list and its filters, which differ by resource.
    query: v.union(
      [v.strictObject({ ids, user: namedUser }), v.looseObject({ list: v.string(), user: namedUser })],
      'expected ids or list',
    ),
    lookup: ({ path, query: { user, ...query } }, app) => {
      const resource = getResource(path.resource);
      const list = 'list' in query ? parseListQuery(resource, query as Record<string, string>) : undefined;
      const owned = list ? hasOwner(list) : isOwned(resource);
      return { resource, list, owned, named: userNamed(app, user, owned) };
    },
    needsUser: ({ owned, named }) => owned && named === undefined,
    targets: ({ resource }) => [lockTargetOf(resource)],
    reads: ({ resource, list, owned, named, query }, { app, userId }) =>
      list
        ? [pageReadOf(resource, list, { appId: app.appId, owner: owned ? (named ?? userId ?? '') : '' })]
        : idsOf(query).map((id) => readOf(resource, id)),
  },
  async ({ resource, list, owned, named, query, reads, leaseId, app, user }) => {
    if (list) {
      const caller = { appId: app.appId, owner: owned ? (named ?? user?.userId ?? '') : '' };
      const { cache, ...page } = await listPage(leaseId, resource, list, caller, reads[0]);
      const items = page.items.map((item) => withAddresses(resource, item));
      return new Answer({ ...page, items }, { 'x-cache': cache });
    }
    const wanted = idsOf(query);
    const found = await recordsFrom(leaseId, resource, wanted, reads);
    const items = wanted.map((id, i) => {
      const record = visibleTo(named ?? user?.userId, resource, found[i]?.value ?? null);
      return [id, record && withAddresses(resource, record)];
    });
    const allHit = found.every(({ cache }) => cache === 'hit' || cache === 'null');
    return new Answer({ items: Object.fromEntries(items) }, { 'x-cache': allHit ? 'hit' : 'miss' });
  },
);

const isOwned = ({ readers }: Resource): boolean => readers === 'owner';

/** The user that a server app names. Throws INVALID_INPUT where the answer is the same for all; SCOPE_DENIED. */
function userNamed(app: CallingApp, user: string | undefined, owned: boolean): string | undefined {
  if (user === undefined) return undefined;
  if (!owned) throw invalidInput({ path: 'query.user', message: 'unknown member' });
  checkMayName(app);
  return user;
}

const idsOf = (query: { ids?: string[] } | { list: string }): string[] => ('ids' in query ? (query.ids ?? []) : []);

export const handler = serve(readOne, readMany);
