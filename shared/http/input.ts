import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import * as v from 'valibot';
import { AppError, invalidInput } from '../errors.ts';
import { type ObjectSchema, parseWith } from '../parse.ts';
import { headersByName, queryMembers } from './event.ts';

/**
 * The input of a call is parsed once, here. Handlers and concepts work with the results of the schemas. A schema
 * describes a path, a query, headers or a body, and refuses with INVALID_INPUT. Where a refusal has its own code
 * (INVALID_KEY, MISSING_IDEMPOTENCY_KEY), a transform of the schema throws the AppError.
 */
type Output<S> = S extends ObjectSchema ? v.InferOutput<S> : Record<string, never>;

/** The parsed request. P, Q, H, B: the schemas. */
export interface Input<P, Q, H, B> {
  path: Output<P>;
  query: Output<Q>;
  /** Only the headers that the schema names; the names are in lower case. */
  headers: Output<H>;
  body: Output<B>;
}

const NOTHING = v.strictObject({});

/**
 * Runs each schema once. Without a schema, a query or a body must be empty. Throws INVALID_INPUT, or the schema's
 * error.
 */
export function parseInput<P, Q, H, B>(
  schemas: { path?: P; query?: Q; headers?: H; body?: B },
  event: APIGatewayProxyEventV2,
  bytes: Buffer,
): Input<P, Q, H, B> {
  const { path, query = NOTHING, headers, body = NOTHING } = schemas as Record<string, ObjectSchema | undefined>;
  const named = path ? parseWith(path, event.pathParameters, 'path') : {};
  const queried = queryMembers(event);
  const json = bytes.length === 0 ? {} : parseJson(bytes);
  refuseDropped(queried, 'query');
  refuseDropped(json, '');
  return {
    path: named,
    query: parseWith(query, queried, 'query'),
    body: parseWith(body, json, ''),
    headers: headers ? parseWith(headers, headersByName(event), 'headers') : {},
  } as Input<P, Q, H, B>;
}

/** A schema for any members drops these, and the call would be accepted. No route has a member with such a name. */
const DROPPED = ['__proto__', 'prototype', 'constructor'];

function refuseDropped(members: unknown, where: string): void {
  const name = DROPPED.find((dropped) => Object.hasOwn(Object(members), dropped));
  if (name !== undefined)
    throw invalidInput({ path: [where, name].filter(Boolean).join('.'), message: 'unknown member' });
}

/** A JSON object from UTF-8 bytes. Throws INVALID_INPUT. */
function parseJson(bytes: Buffer): unknown {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    // For valibot an array is an object, too: an empty one would pass if no member is required.
    if (!Array.isArray(json)) return refuseUnsafe(json);
  } catch (error) {
    if (error instanceof AppError) throw error;
  }
  throw invalidInput({ path: '', message: 'expected a JSON object in UTF-8' });
}

/**
 * Refuses values that would be changed on their way: numbers from 2^53 on are rounded, 1e999 becomes null, and MySQL
 * does not accept half of a surrogate pair.
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
