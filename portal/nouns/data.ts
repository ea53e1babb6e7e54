import { findRecord } from '../../shared/data/records.ts';
import type { Resource } from '../../shared/data/resource.ts';
import { allResources, getResource } from '../../shared/data/resources.ts';
import { checkMembers, deleteResource, invalidateResource, putMembers, putResource } from '../../shared/data/write.ts';
import { AppError } from '../../shared/errors.ts';
import { logChange } from '../../shared/operator-log.ts';
import { type Given, type Noun, optional, type Printed, repeated } from '../command.ts';
import { listsOf, pageOfList } from '../data-lists.ts';
import { recordRows, shortValue, unknownName, writtenMembers } from '../data-members.ts';

async function put(given: Given): Promise<Printed> {
  const [resource, id] = one(given);
  const written = writtenMembers(resource, given);
  if ('all' in written) await putResource(resource, id, written.all);
  else await putMembers(resource, id, written.some);
  await record(given, 'data.put', `${resource.name}:${id}`);
  return { json: { resource: resource.name, id, put: true }, text: [`${resource.name} ${id} is written.`] };
}

async function whatPutReplaces(given: Given): Promise<string[]> {
  const [resource, id] = one(given);
  const written = writtenMembers(resource, given);
  if ('all' in written) checkMembers(resource, written.all);
  const former = await findRecord(resource, id);
  if (!former) return [];
  if ('all' in written) return [`${resource.name} ${id} exists and will be replaced: ${JSON.stringify(former)}`];
  return Object.entries(written.some)
    .filter(([member, value]) => former[member] !== value)
    .map(
      ([member, value]) =>
        `${resource.name} ${id} exists: ${member} will be "${shortValue(value)}", it was "${shortValue(former[member])}"`,
    );
}

async function get(given: Given): Promise<Printed> {
  const [resource, id] = one(given);
  const found = await findRecord(resource, id);
  if (!found) throw new AppError('NOT_FOUND', `There is no ${resource.name} ${id}.`);
  return { json: { resource: resource.name, record: found }, text: recordRows(resource, found, given.display) };
}

async function list(given: Given): Promise<Printed> {
  const [resource] = one(given);
  return given.optional('list') === undefined ? listsOf(resource, given) : pageOfList(resource, given);
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
  throw unknownName(`there is no resource "${name}"`, name, names);
}

const RESOURCES = allResources().map(({ name }) => name);
const LISTS = [...new Set(allResources().flatMap(({ lists = [] }) => lists.map(({ name }) => name)))];

export const data: Noun = {
  about: 'business data: writes MySQL first, then the cache (row A9)',
  verbs: {
    list: {
      about:
        'Lists records a page at a time, from the database and not from the cache. Without --list: which lists there are.',
      operands: ['resource'],
      words: RESOURCES,
      options: {
        list: { ...optional('NAME', 'the list'), values: LISTS },
        filter: repeated('MEMBER=VALUE', 'a filter that the list needs'),
        user: optional('ID', 'for lists of one user: the userId'),
        limit: optional('N', 'how many, from 1 to 100 (default: the page of the API)'),
        after: optional('PLACE', 'what the page before printed'),
      },
      destructive: false,
      run: list,
    },
    get: {
      about: 'Shows a record, from the database and not from the cache.',
      operands: ['resource', 'id'],
      words: RESOURCES,
      options: {},
      destructive: false,
      run: get,
    },
    put: {
      about: 'Creates a record, or replaces it or single members of it.',
      operands: ['resource', 'id'],
      words: RESOURCES,
      options: {
        member: repeated(
          'MEMBER=VALUE',
          'one member; the others of an existing record stay. @FILE: the text of a file',
        ),
        'json-body': optional('JSON', 'all members of the record except id'),
      },
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
