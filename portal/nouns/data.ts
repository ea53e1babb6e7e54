import { findRecord } from '../../shared/data/records.ts';
import { allResources, getResource, type Resource } from '../../shared/data/resources.ts';
import { deleteResource, invalidateResource, putResource } from '../../shared/data/write.ts';
import { logChange } from '../../shared/operator-log.ts';
import { type Given, type Noun, type Printed, required, UsageError } from '../command.ts';
import { jsonForm } from '../forms.ts';
import { nearest } from '../nearest.ts';

async function put(given: Given): Promise<Printed> {
  const [resource, id] = one(given);
  const members = jsonForm('json-body', given.text('json-body'));
  await putResource(resource, id, members);
  await record(given, 'data.put', `${resource.name}:${id}`);
  return { json: { resource: resource.name, id, put: true }, text: [`${resource.name} ${id} is written.`] };
}

async function whatPutReplaces(given: Given): Promise<string[]> {
  const [resource, id] = one(given);
  jsonForm('json-body', given.text('json-body'));
  const former = await findRecord(resource, id);
  return former ? [`${resource.name} ${id} exists and will be replaced: ${JSON.stringify(former)}`] : [];
}

async function whatDeleteRemoves(given: Given): Promise<string[]> {
  const [resource, id] = one(given);
  const former = await findRecord(resource, id);
  return former ? [`${resource.name} ${id} will be deleted: ${JSON.stringify(former)}`] : [];
}

async function remove(given: Given): Promise<Printed> {
  const [resource, id] = one(given);
  const deleted = await deleteResource(resource, id);
  if (deleted) await record(given, 'data.delete', `${resource.name}:${id}`);
  const text = [deleted ? `${resource.name} ${id} is deleted.` : `There was no ${resource.name} ${id}.`];
  return { json: { resource: resource.name, id, deleted }, text };
}

async function invalidate(given: Given): Promise<Printed> {
  const [name = '', ...ids] = given.operands;
  const resource = known(name);
  await invalidateResource(resource, ids);
  await record(given, 'data.invalidate', `${resource.name}:${ids.join(',')}`);
  const text = [`The next read of ${resource.name} ${ids.join(', ')} loads it from the database.`];
  return { json: { resource: resource.name, ids, invalidated: true }, text };
}

const record = (given: Given, action: string, subject: string): Promise<void> =>
  logChange({ actor: given.actor, action, subject });

function one({ operands: [name = '', id = ''] }: Given): [Resource, string] {
  return [known(name), id];
}

function known(name: string): Resource {
  const names = allResources().map((resource) => resource.name);
  if (names.includes(name)) return getResource(name);
  const meant = nearest(name, names);
  throw new UsageError(
    `there is no resource "${name}"${meant ? `; did you mean ${meant}?` : `; there is: ${names.join(', ')}`}`,
  );
}

const RESOURCES = allResources().map(({ name }) => name);

export const data: Noun = {
  about: 'business data: writes MySQL first, then the cache (row A9)',
  verbs: {
    put: {
      about: 'Creates a record, or replaces it.',
      operands: ['resource', 'id'],
      words: RESOURCES,
      options: { 'json-body': required('JSON', 'all members of the record except id') },
      destructive: whatPutReplaces,
      run: put,
    },
    delete: {
      about: 'Deletes a record.',
      operands: ['resource', 'id'],
      words: RESOURCES,
      options: {},
      destructive: whatDeleteRemoves,
      run: remove,
    },
    invalidate: {
      about: 'For rows that other tools changed: the next read loads them from the database.',
      operands: ['resource', 'id...'],
      words: RESOURCES,
      options: {},
      destructive: false,
      run: invalidate,
    },
  },
};
