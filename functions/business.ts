import * as v from 'valibot';
import { checkId, readOf, recordsFrom, visibleTo } from '../shared/data/records.ts';
import { getResource, lockTargetOf } from '../shared/data/resources.ts';
import { AppError } from '../shared/errors.ts';
import { Answer } from '../shared/http/answer.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { serve } from '../shared/http/lambda.ts';

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
    lookup: ({ path }) => ({ resource: getResource(path.resource) }),
    needsUser: ({ resource }) => resource.readers === 'owner',
    targets: ({ resource }) => [lockTargetOf(resource)],
    identities: ({ resource, path }) => ({ resource: `${resource.name}:${path.id}` }),
    reads: ({ resource, path }) => [readOf(resource, path.id)],
  },
  async ({ resource, path, reads, leaseId, user }) => {
    const [found] = await recordsFrom(leaseId, resource, [path.id], reads);
    const record = visibleTo(user, resource, found?.value ?? null);
    // The same answer, byte for byte, for an absent id and for another user's record.
    if (!found || !record) throw new AppError('NOT_FOUND', undefined, { headers: { 'x-cache': 'null' } });
    return new Answer(record, { 'x-cache': found.cache });
  },
);

const readMany = endpoint(
  {
    route: 'GET /data/{resource}',
    auth: 'by-input',
    scope: 'data:read',
    open: 'open:data',
    path: v.object({ resource: v.string() }),
    query: v.strictObject({ ids }),
    lookup: ({ path }) => ({ resource: getResource(path.resource) }),
    needsUser: ({ resource }) => resource.readers === 'owner',
    targets: ({ resource }) => [lockTargetOf(resource)],
    reads: ({ resource, query }) => query.ids.map((id) => readOf(resource, id)),
  },
  async ({ resource, query, reads, leaseId, user }) => {
    const found = await recordsFrom(leaseId, resource, query.ids, reads);
    const items = query.ids.map((id, i) => [id, visibleTo(user, resource, found[i]?.value ?? null)]);
    const allHit = found.every(({ cache }) => cache === 'hit' || cache === 'null');
    return new Answer({ items: Object.fromEntries(items) }, { 'x-cache': allHit ? 'hit' : 'miss' });
  },
);

export const handler = serve(readOne, readMany);
