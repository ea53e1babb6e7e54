import { createHash, randomUUID } from 'node:crypto';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { AppError } from '../errors.ts';

/** Readers of a Lambda event, used before any schema. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * The id that API Gateway gave the call, such as `JKJaXmPLvHcESHA=`: the authorizer and the function get the same one,
 * and the access log has it. It is public: it must never be a proof, a key or the holder of a lease.
 */
export function requestIdOf(event: { requestContext: { requestId?: string } }): string {
  const { requestId } = event.requestContext;
  return requestId && /^[\w=+/-]{1,64}$/.test(requestId) ? requestId : randomUUID();
}

/** The bytes of the body, as they were signed. API Gateway sends binary bodies in base64. */
export function bodyBytes(event: APIGatewayProxyEventV2): Buffer {
  return Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
}

export const sha256Hex = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Throws TOO_LARGE. */
export function limitBody(bytes: Buffer): void {
  if (bytes.length > MAX_BODY_BYTES) throw new AppError('TOO_LARGE');
}

/** The decoded query. The values of a repeated name are joined by a comma, so that schemas refuse them. */
export function queryMembers(event: APIGatewayProxyEventV2): Record<string, string> {
  return Object.fromEntries(
    Object.entries(event.queryStringParameters ?? {}).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}

interface WithHeaders {
  headers?: Record<string, string | undefined> | undefined;
}

/** All headers; the names are in lower case. */
export const headersByName = (event: WithHeaders): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(event.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));

/** undefined: the header was not sent. API Gateway sends names in lower case; serverless-offline keeps their case. */
export const headerOf = (event: WithHeaders, name: string): string | undefined =>
  event.headers?.[name] ?? headersByName(event)[name];
