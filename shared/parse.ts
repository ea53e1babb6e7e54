import * as v from 'valibot';
import { invalidInput } from './errors.ts';

/** The one way from a schema's issues to INVALID_INPUT: for calls, and for what operators write. */
export type ObjectSchema = v.GenericSchema<Record<string, unknown>, unknown>;

/** Throws INVALID_INPUT. Messages say what was expected and never repeat the value, which may be a password. */
export function parseWith<S extends ObjectSchema>(schema: S, value: unknown, where: string): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw invalidInput(
    ...result.issues.slice(0, 20).map((issue) => ({
      path: [where, v.getDotPath(issue) ?? ''].filter(Boolean).join('.'),
      message: messageOf(issue),
    })),
  );
}

function messageOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') return 'unknown member';
  // The schema has its own sentence. The sentences of valibot would show the value.
  if (!issue.message.startsWith('Invalid')) return issue.message;
  return issue.expected ? `expected ${issue.expected}` : 'not valid';
}
