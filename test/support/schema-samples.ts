import * as v from 'valibot';
import type { ObjectSchema } from '../../shared/parse.ts';

/** For most members one of these is valid. They are tried in this order. */
const CANDIDATES: readonly unknown[] = [
  'text',
  1,
  true,
  '1',
  '2026-01-01T00:00:00Z',
  'https://example.com/',
  '0'.repeat(10),
  '0'.repeat(16),
  '0'.repeat(32),
  '0'.repeat(64),
  [],
  {},
];

/** A schema may also throw an AppError, which is a refusal too. Without a schema every value is refused. */
export function isTaken(schema: v.GenericSchema | undefined, value: unknown): boolean {
  try {
    return v.is(schema ?? v.strictObject({}), value);
  } catch {
    return false;
  }
}

/**
 * A valid object: with the required members, and with optional ones only if the schema is invalid without them. Throws
 * if no value is valid.
 */
export function sampleOf(schema: ObjectSchema, where: string): Record<string, unknown> {
  const entries = Object.entries((schema as { entries?: Record<string, v.GenericSchema> }).entries ?? {});
  const required = entries.filter(([, member]) => !isTaken(member, undefined));
  const sample: Record<string, unknown> = {};
  for (const [name, member] of required) sample[name] = sampleValue(member, `${where}.${name}`);
  if (isTaken(schema, sample)) return sample;
  for (const name of entries.map(([name]) => name)) {
    const value = CANDIDATES.find((candidate) => isTaken(schema, { ...sample, [name]: candidate }));
    if (value !== undefined) return { ...sample, [name]: value };
  }
  throw noSample(where);
}

function sampleValue(member: v.GenericSchema, where: string): unknown {
  if ('entries' in member) return sampleOf(member as unknown as ObjectSchema, where);
  const value = CANDIDATES.find((candidate) => isTaken(member, candidate));
  if (value === undefined) throw noSample(where);
  return value;
}

const noSample = (where: string): Error =>
  new Error(`${where}: no simple value is valid. Add a valid one to test/support/route-samples.ts.`);
