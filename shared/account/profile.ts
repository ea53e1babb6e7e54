import * as v from 'valibot';
import { isReservedName } from '../app/user-fields.ts';

/** The profile of a user: a JSON object. The team that builds the mini-program chooses its members. */
const MAX_PROFILE_BYTES = 8_192;
const MAX_DEPTH = 8;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reserved names are refused and not dropped: the caller expects an effect that they would not have. */
export const profileSchema = v.pipe(
  v.custom<Record<string, unknown>>(isObject, 'expected a JSON object'),
  v.check((profile) => !Object.keys(profile).some(isReservedName), 'holds a reserved name'),
  v.check((profile) => isPlain(profile, MAX_DEPTH), `holds a reserved name, or more than ${MAX_DEPTH} levels`),
  v.check(
    (profile) => Buffer.byteLength(JSON.stringify(profile)) <= MAX_PROFILE_BYTES,
    `expected at most ${MAX_PROFILE_BYTES} bytes of JSON`,
  ),
);

/** Extra fields before the schema of the calling app is loaded: checkUserFields() checks them later. */
export const fieldsSchema = v.custom<Record<string, unknown>>(isObject, 'expected a JSON object');

function isPlain(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  return Object.entries(value).every(
    ([name, member]) => !['__proto__', 'constructor', 'prototype'].includes(name) && isPlain(member, levels - 1),
  );
}
