import * as v from 'valibot';
import { changeOwn, removeOwn } from '../shared/data/own-record-changes.ts';
import { createOwn, namedRecords } from '../shared/data/own-record-creation.ts';
import type { OwnResource } from '../shared/data/own-records.ts';
import { cachedReadOf, checkId, knownReadOf } from '../shared/data/records.ts';
import type { Members, Resource } from '../shared/data/resource.ts';
import { getResource, lockTargetOf } from '../shared/data/resources.ts';
import { withAddresses } from '../shared/data/upload-addresses.ts';
import { uploadColumns } from '../shared/data/upload-columns.ts';
import { AppError, invalidInput } from '../shared/errors.ts';
import type { CallingApp } from '../shared/http/caller.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseWith } from '../shared/http/input.ts';
import { serve } from '../shared/http/lambda.ts';
import { checkMayName, namedUser } from '../shared/http/named-user.ts';
import { idempotencyHeader, ifMatchHeader, perUser } from '../shared/http/write-inputs.ts';

/**
 * Users write their own records, and server apps write records of users. The two differ in how the owner is found: a
 * session is the owner of its records (scope `data:own`); a server app names the user (scope `data:write`).
 */
type Ownership =
  | { by: 'user'; userId?: undefined }
  /** undefined: everybody's records. */
  | { by: 'server'; userId: string | undefined };

/** Throws SCOPE_DENIED. `named`: the user that the call names. */
function ownershipOf(app: CallingApp, named: string | undefined, anybody: boolean): Ownership {
  if (named !== undefined || (anybody && app.scopes.includes('data:write'))) {
    checkMayName(app);
    return { by: 'server', userId: named };
  }
  if (!app.scopes.includes('data:own')) throw new AppError('SCOPE_DENIED');
  return { by: 'user' };
}

/** Throws UNKNOWN_RESOURCE, also for a resource that users do not write. */
function writable(name: string): OwnResource {
  const resource: Resource = getResource(name);
  if (!resource.writers) throw new AppError('UNKNOWN_RESOURCE');
  return resource as OwnResource;
}

type Schemas = Record<string, v.GenericSchema>;

const allowedMembers = ({ writers: { members, byServer } }: OwnResource, by: Ownership['by']): Schemas => ({
  ...members,
  ...(by === 'server' && byServer),
});

/** The members of a new record, checked, with the defaults of those that are left out. Throws INVALID_INPUT. */
const newMembers = (resource: OwnResource, by: Ownership['by'], body: object): Members =>
  parseWith(v.strictObject(allowedMembers(resource, by)), body, '') as Members;

/** The members that a change gives, checked. A record keeps what is left out. Throws INVALID_INPUT. */
function changedMembers(resource: OwnResource, by: Ownership['by'], body: object): Members {
  const uploads = new Set(uploadColumns(resource).map(({ member }) => member));
  const schemas: Schemas = {};
  for (const [member, schema] of Object.entries(allowedMembers(resource, by))) {
    if (resource.fixed?.includes(member)) continue;
    // A reader sees an address, not the id of the upload, so it cannot be given again.
    schemas[member] = hasDefault(schema)
      ? v.optional(schema.wrapped)
      : uploads.has(member)
        ? v.optional(schema)
        : schema;
  }
  const changed = parseWith(v.strictObject(schemas), body, '') as Members;
  if (Object.keys(changed).length === 0) throw invalidInput({ path: '', message: 'expected a member to change' });
  return changed;
}

const hasDefault = (schema: v.GenericSchema): schema is v.OptionalSchema<v.GenericSchema, unknown> =>
  schema.type === 'optional';

/** A server app may use what the user uploaded at any app. */
const uploadsOf = (app: CallingApp, by: Ownership['by']): string | undefined => (by === 'user' ? app.appId : undefined);

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
      const owner = ownershipOf(app, named, false);
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
    const userId = owner.userId ?? user?.userId ?? '';
    const maker = { appId: app.appId, userId, uploadsOf: uploadsOf(app, owner.by) };
    return withAddresses(
      resource,
      await createOwn(resource, maker, headers.idempotencyKey, members, Date.now(), absent),
    );
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
    const userId = owner.by === 'server' ? owner.userId : (user?.userId ?? '');
    const target = { resource, id: path.id, userId, uploadsOf: uploadsOf(app, owner.by) };
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
    const userId = owner.by === 'server' ? owner.userId : (user?.userId ?? '');
    await removeOwn({ resource, id: path.id, userId }, headers['if-match'], cached);
  },
);

export const handler = serve(create, change, remove);
