import * as v from 'valibot';
import { changedMembers, newMembers } from '../shared/data/own-members.ts';
import { changeOwn, removeOwn } from '../shared/data/own-record-changes.ts';
import { createOwn, namedRecords } from '../shared/data/own-record-creation.ts';
import type { OwnResource } from '../shared/data/own-records.ts';
import { cachedReadOf, checkId, knownReadOf } from '../shared/data/records.ts';
import type { Resource } from '../shared/data/resource.ts';
import { getResource, lockTargetOf } from '../shared/data/resources.ts';
import { withAddresses } from '../shared/data/upload-addresses.ts';
import { AppError } from '../shared/errors.ts';
import type { CallingApp } from '../shared/http/caller.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { serve } from '../shared/http/lambda.ts';
import { namedUser, type Ownership, ownershipOf } from '../shared/http/named-user.ts';
import { idempotencyHeader, ifMatchHeader, perUser } from '../shared/http/write-inputs.ts';

/** Throws UNKNOWN_RESOURCE, also for a resource that users do not write. */
function writable(name: string): OwnResource {
  const resource: Resource = getResource(name);
  if (!resource.writers) throw new AppError('UNKNOWN_RESOURCE');
  return resource as OwnResource;
}

/** A server app may use what the user uploaded at any app. */
const uploadsOf = ({ appId }: CallingApp, { by }: Ownership): string | undefined => (by === 'user' ? appId : undefined);

/** undefined: a server app writes everybody's records. */
const ownerId = (owner: Ownership, user: { userId: string } | undefined): string | undefined =>
  owner.by === 'server' ? owner.userId : (user?.userId ?? '');

const id = v.pipe(v.string(), v.transform(checkId));
const onePath = v.object({ resource: v.string(), id });
const ownerQuery = v.strictObject({ user: namedUser });
const writes = [perUser('own-writes', 120)];

const create = endpoint(
  {
    route: 'POST /data/{resource}',
    auth: 'by-input',
    scope: 'data:own',
    orScope: 'data:write',
    v2Only: true,
    success: 'created',
    path: v.object({ resource: v.string() }),
    headers: idempotencyHeader,
    body: v.looseObject({ userId: namedUser }),
    lookup: ({ path, body: { userId: named, ...body } }, app) => {
      const resource = writable(path.resource);
      const owner = ownershipOf(app, named);
      const members = newMembers(resource, owner.by, body);
      return { resource, owner, members, named: namedRecords(resource, members) };
    },
    needsUser: ({ owner }) => owner.by === 'user',
    rules: writes,
    targets: ({ resource }) => [lockTargetOf(resource)],
    // Only to ask the existence filter: the statement that creates the record decides.
    reads: ({ named }) => named.map(({ resource, id }) => knownReadOf(resource, id)),
  },
  async ({ resource, owner, members, named, app, user, headers, reads }) => {
    const absent = named.find((_, index) => reads[index]?.state === 'none');
    const maker = { appId: app.appId, userId: ownerId(owner, user) ?? '', uploadsOf: uploadsOf(app, owner) };
    const record = await createOwn(resource, maker, headers.idempotencyKey, members, Date.now(), absent);
    return withAddresses(resource, record);
  },
);

const oneHeaders = v.object({ 'if-match': ifMatchHeader, authorization: v.optional(v.string()) });

const change = endpoint(
  {
    route: 'PUT /data/{resource}/{id}',
    auth: 'by-input',
    scope: 'data:own',
    orScope: 'data:write',
    v2Only: true,
    path: onePath,
    query: ownerQuery,
    headers: oneHeaders,
    body: v.looseObject({}),
    lookup: ({ path, query, headers, body }, app) => {
      const resource = writable(path.resource);
      const anybody = resource.readers === 'app' && headers.authorization === undefined;
      const owner = ownershipOf(app, query.user, anybody);
      const members = changedMembers(resource, owner.by, body);
      const version = headers['if-match'];
      if (version === undefined) throw new AppError('MISSING_VERSION');
      return { resource, owner, members, version };
    },
    needsUser: ({ owner }) => owner.by === 'user',
    rules: writes,
    targets: ({ resource }) => [lockTargetOf(resource)],
    reads: ({ resource, path }) => [knownReadOf(resource, path.id)],
  },
  async ({ resource, owner, members, version, path, app, user, reads: [cached] }) => {
    if (cached?.state === 'none') throw new AppError('NOT_FOUND');
    const target = { resource, id: path.id, userId: ownerId(owner, user), uploadsOf: uploadsOf(app, owner) };
    return withAddresses(resource, await changeOwn(target, version, members, cached));
  },
);

const remove = endpoint(
  {
    route: 'DELETE /data/{resource}/{id}',
    auth: 'by-input',
    scope: 'data:own',
    orScope: 'data:write',
    v2Only: true,
    success: 'no-content',
    path: onePath,
    query: ownerQuery,
    headers: oneHeaders,
    lookup: ({ path, query, headers }, app) => {
      const resource = writable(path.resource);
      const anybody = resource.readers === 'app' && headers.authorization === undefined;
      return { resource, owner: ownershipOf(app, query.user, anybody) };
    },
    needsUser: ({ owner }) => owner.by === 'user',
    rules: writes,
    targets: ({ resource }) => [lockTargetOf(resource)],
    // Without the filter: it forgets deleted records, and a repeated deletion has to find them for a day.
    reads: ({ resource, path }) => [cachedReadOf(resource, path.id)],
  },
  async ({ resource, owner, path, headers, user, reads: [cached] }) => {
    await removeOwn({ resource, id: path.id, userId: ownerId(owner, user) }, headers['if-match'], cached);
  },
);

export const handler = serve(create, change, remove);
