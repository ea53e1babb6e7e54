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

/** An object that the schema takes, with its required members alone. Throws when no value fits a member. */
export function sampleOf(schema: ObjectSchema, where: string): Record<string, unknown> {
  const entries = Object.entries((schema as { entries?: Record<string, v.GenericSchema> }).entries ?? {});
  const sample: Record<string, unknown> = {};
  for (const [name, member] of entries) {
    if (isTaken(member, undefined)) continue;
    const inner = 'entries' in member ? [sampleOf(member as unknown as ObjectSchema, `${where}.${name}`)] : [];
    const value = [...inner, ...CANDIDATES].find((candidate) => isTaken(member, candidate));
    if (value === undefined) {
      throw new Error(`${where}: no value fits ${name}. Give a right one in test/support/route-samples.ts.`);
    }
    sample[name] = value;
  }
  return sample;
}
