import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import * as v from 'valibot';
import { AppError, invalidInput } from '../errors.ts';
import { headersByName, queryMembers } from './event.ts';

/**
 * What callers send is parsed once, here: what a schema yields is what handlers and concepts work with. A schema is the
 * form of a path, a query, headers or a body. It refuses with INVALID_INPUT; a value whose refusal has a code of its own
 * (INVALID_KEY, MISSING_IDEMPOTENCY_KEY) has a transform that throws the AppError.
 */
export type ObjectSchema = v.GenericSchema<Record<string, unknown>, unknown>;

type Output<S> = S extends ObjectSchema ? v.InferOutput<S> : Record<string, never>;

/** What the schemas made of the request: parsed once, handed on as it is. P, Q, H, B: the schemas. */
export interface Input<P, Q, H, B> {
  path: Output<P>;
  query: Output<Q>;
  /** Of those sent, by lower-case name, what the schema takes. */
  headers: Output<H>;
  body: Output<B>;
}

const NOTHING = v.strictObject({});

/** Runs each schema once. Without one, a query or a body must be empty. Throws INVALID_INPUT, or what a schema throws. */
export function parseInput<P, Q, H, B>(
  schemas: { path?: P; query?: Q; headers?: H; body?: B },
  event: APIGatewayProxyEventV2,
  bytes: Buffer,
): Input<P, Q, H, B> {
  const { path, query = NOTHING, headers, body = NOTHING } = schemas as Record<string, ObjectSchema | undefined>;
  return {
    path: path ? parseWith(path, event.pathParameters, 'path') : {},
    query: parseWith(query, queryMembers(event), 'query'),
    body: parseWith(body, bytes.length === 0 ? {} : parseJson(bytes), ''),
    headers: headers ? parseWith(headers, headersByName(event), 'headers') : {},
  } as Input<P, Q, H, B>;
}

/** A JSON object from UTF-8 bytes. Throws INVALID_INPUT. */
function parseJson(bytes: Buffer): unknown {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    // To valibot a list is an object too: one that is empty would pass where nothing is required.
    if (!Array.isArray(json)) return refuseUnsafe(json);
  } catch (error) {
    if (error instanceof AppError) throw error;
  }
  throw invalidInput({ path: '', message: 'expected a JSON object in UTF-8' });
}

/**
 * What would not arrive as it was sent: numbers from 2^53 on are rounded, 1e999 becomes null, and half of a surrogate
 * pair is no text to MySQL.
 */
function refuseUnsafe(value: unknown, path = ''): unknown {
  if (typeof value === 'number' && !isExact(value)) throw invalidInput({ path, message: 'expected a safe integer' });
  if (typeof value === 'string' && HALF_PAIR.test(value))
    throw invalidInput({ path, message: 'expected Unicode text' });
  if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      if (HALF_PAIR.test(name)) throw invalidInput({ path, message: 'expected names in Unicode' });
      refuseUnsafe(member, path ? `${path}.${name}` : name);
    }
  }
  return value;
}

const isExact = (number: number): boolean =>
  Number.isSafeInteger(number) || (Number.isFinite(number) && !Number.isInteger(number));
const HALF_PAIR = /\p{Surrogate}/u;

/** Throws INVALID_INPUT. Messages tell what was expected, never what was given: that may be a password. */
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
  // A sentence that the schema brought along; valibot's own would show what was given.
  if (!issue.message.startsWith('Invalid')) return issue.message;
  return issue.expected ? `expected ${issue.expected}` : 'not as it should be';
}
