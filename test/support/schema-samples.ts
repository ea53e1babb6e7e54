import * as v from 'valibot';
import type { ObjectSchema } from '../../shared/http/input.ts';

/** One of these fits most members; the shortest are tried first. */
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

/** A schema may also throw an AppError of its own, which is no less a refusal. Without a schema nothing is taken. */
export function isTaken(schema: v.GenericSchema | undefined, value: unknown): boolean {
  try {
    return v.is(schema ?? v.strictObject({}), value);
  } catch {
    return false;
  }
}

/** An object that the schema takes: with its required members, and others only where it asks for them. Throws when no value fits. */
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
  new Error(`${where}: no simple value fits. Give a right one in test/support/route-samples.ts.`);
