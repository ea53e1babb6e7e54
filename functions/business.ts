import * as v from 'valibot';
import { present, settleReads } from '../shared/cache/cache.ts';
import { checkId, isVisible, listedIds, loadResources, readOf, resourceNamed } from '../shared/data/resources.ts';
import { AppError } from '../shared/errors.ts';
import { Answer, endpoint } from '../shared/http/endpoint.ts';
import { serve } from '../shared/http/lambda.ts';

const readOne = endpoint(
  {
    route: 'GET /data/{resource}/{id}',
    auth: 'by-input',
    needsUser: ({ path }) => resourceNamed(path.resource).readers === 'owner',
    scope: 'data:read',
    path: v.object({ resource: v.string(), id: v.string() }),
    precheck: ({ path }) => void checkId(resourceNamed(path.resource) && path.id),
    targets: ({ path }) => [{ name: `data:${path.resource}`, rules: resourceNamed(path.resource).rules }],
    identities: ({ path }) => ({ resource: `${path.resource}:${path.id}` }),
    reads: ({ path }) => [readOf(resourceNamed(path.resource), path.id)],
  },
  async ({ path, reads, requestId, user }) => {
    const resource = resourceNamed(path.resource);
    const load = loadResources(resource, [path.id]);
    const [found] = await settleReads(requestId, [readOf(resource, path.id).key], reads, resource.cache, load);
    if (!found || !isVisible(resource, found.value, user)) throw notFound();
    return new Answer(present(found), { 'x-cache': found.cache });
  },
);

/** An absent id and another user's record are one answer, in every byte. */
const notFound = (): AppError => new AppError('NOT_FOUND', undefined, { headers: { 'x-cache': 'null' } });

const readMany = endpoint(
  {
    route: 'GET /data/{resource}',
    auth: 'by-input',
    needsUser: ({ path }) => resourceNamed(path.resource).readers === 'owner',
    scope: 'data:read',
    path: v.object({ resource: v.string() }),
    query: v.strictObject({ ids: v.string() }),
    precheck: ({ path, query }) => void (resourceNamed(path.resource) && listedIds(query.ids)),
    targets: ({ path }) => [{ name: `data:${path.resource}`, rules: resourceNamed(path.resource).rules }],
    reads: ({ path, query }) => listedIds(query.ids).map((id) => readOf(resourceNamed(path.resource), id)),
  },
  async ({ path, query, reads, requestId, user }) => {
    const resource = resourceNamed(path.resource);
    const ids = listedIds(query.ids);
    const keys = ids.map((id) => readOf(resource, id).key);
    const found = await settleReads(requestId, keys, reads, resource.cache, loadResources(resource, ids));
    const items = Object.fromEntries(
      ids.map((id, i) => [id, isVisible(resource, found[i]?.value ?? null, user) ? found[i]?.value : null]),
    );
    const allHit = found.every(({ cache }) => cache === 'hit' || cache === 'null');
    return new Answer({ items }, { 'x-cache': allHit ? 'hit' : 'miss' });
  },
);

export const handler = serve(readOne, readMany);
