import { createHash } from 'node:crypto';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import * as v from 'valibot';
import { AppError, type FieldError } from '../errors.ts';

/** What callers send, parsed once at the edge. */
const MAX_BODY_BYTES = 64 * 1024;

/** The body's bytes as they were signed; API Gateway hands non-text bodies over in base64. */
export function bodyBytes(event: APIGatewayProxyEventV2): Buffer {
  return Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
}

export const sha256Hex = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Throws TOO_LARGE. */
export function limitBody(bytes: Buffer): void {
  if (bytes.length > MAX_BODY_BYTES) throw new AppError('TOO_LARGE');
}

export type ObjectSchema = v.GenericSchema<Record<string, unknown>, unknown>;

/** A JSON object from UTF-8 bytes, checked by the schema. Throws INVALID_INPUT. */
export function parseBody<S extends ObjectSchema>(schema: S, bytes: Buffer): v.InferOutput<S> {
  return parseWith(schema, bytes.length === 0 ? {} : parseJson(bytes), '');
}

function parseJson(bytes: Buffer): unknown {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    // To valibot a list is an object too: one that is empty would pass where nothing is required.
    if (!Array.isArray(json)) return refuseUnsafe(json);
  } catch (error) {
    if (error instanceof AppError) throw error;
  }
  throw invalid([{ path: '', message: 'expected a JSON object in UTF-8' }]);
}

/**
 * What would not arrive as it was sent: numbers from 2^53 on are rounded, 1e999 becomes null, and half of a surrogate
 * pair is no text to MySQL.
 */
function refuseUnsafe(value: unknown, path = ''): unknown {
  if (typeof value === 'number' && !isExact(value)) throw invalid([{ path, message: 'expected a safe integer' }]);
  if (typeof value === 'string' && HALF_PAIR.test(value)) throw invalid([{ path, message: 'expected Unicode text' }]);
  if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      if (HALF_PAIR.test(name)) throw invalid([{ path, message: 'expected names in Unicode' }]);
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
  throw invalid(
    result.issues.slice(0, 20).map((issue) => ({
      path: [where, v.getDotPath(issue) ?? ''].filter(Boolean).join('.'),
      message: messageOf(issue),
    })),
  );
}

function messageOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') return 'unknown member';
  if (issue.kind === 'validation' && !issue.message.startsWith('Invalid')) return issue.message;
  return issue.expected ? `expected ${issue.expected}` : 'not as it should be';
}

const invalid = (errors: FieldError[]): AppError => new AppError('INVALID_INPUT', undefined, { errors });

/** Query members, decoded; a repeated name is refused by schemas since its values are joined by a comma. */
export function queryMembers(event: APIGatewayProxyEventV2): Record<string, string> {
  return Object.fromEntries(
    Object.entries(event.queryStringParameters ?? {}).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}

/** Header names as API Gateway gives them are lower-case; serverless-offline keeps their case. */
export function headerOf(event: APIGatewayProxyEventV2, name: string): string | undefined {
  return event.headers[name] ?? Object.entries(event.headers).find(([key]) => key.toLowerCase() === name)?.[1];
}
