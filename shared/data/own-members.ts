import * as v from 'valibot';
import { invalidInput } from '../errors.ts';
import { parseWith } from '../parse.ts';
import type { OwnResource } from './own-records.ts';
import type { Members } from './resource.ts';
import { uploadColumns } from './upload-columns.ts';

/** The members of records that users write, or server apps for them, checked by the declaration of the resource. */
type Writer = 'user' | 'server';

type Schemas = Record<string, v.GenericSchema>;

const allowedMembers = ({ writers: { members, byServer } }: OwnResource, by: Writer): Schemas => ({
  ...members,
  ...(by === 'server' && byServer),
});

/** The members of a new record, with the defaults of those that are left out. Throws INVALID_INPUT. */
export const newMembers = (resource: OwnResource, by: Writer, body: object): Members =>
  parseWith(v.strictObject(allowedMembers(resource, by)), body, '') as Members;

/** The members that a change gives. A record keeps what is left out. Throws INVALID_INPUT. */
export function changedMembers(resource: OwnResource, by: Writer, body: object): Members {
  const uploads = new Set(uploadColumns(resource).map(({ member }) => member));
  const schemas: Schemas = {};
  for (const [member, schema] of Object.entries(allowedMembers(resource, by))) {
    if (resource.fixed?.includes(member)) continue;
    if (hasDefault(schema)) schemas[member] = v.optional(schema.wrapped);
    // A reader sees an address, not the id of the upload, so it cannot be given again.
    else schemas[member] = uploads.has(member) ? v.optional(schema) : schema;
  }
  const changed = parseWith(v.strictObject(schemas), body, '') as Members;
  if (Object.keys(changed).length === 0) throw invalidInput({ path: '', message: 'expected a member to change' });
  return changed;
}

const hasDefault = (schema: v.GenericSchema): schema is v.OptionalSchema<v.GenericSchema, unknown> =>
  schema.type === 'optional';
