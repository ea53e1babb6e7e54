import { createHash } from 'node:crypto';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { AppError } from '../errors.ts';

/** What a Lambda event holds, before any schema looks at it. */
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

/** Query members, decoded; a repeated name is refused by schemas since its values are joined by a comma. */
export function queryMembers(event: APIGatewayProxyEventV2): Record<string, string> {
  return Object.fromEntries(
    Object.entries(event.queryStringParameters ?? {}).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}

/** By lower-case name. */
export const headersByName = (event: APIGatewayProxyEventV2): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(event.headers).map(([name, value]) => [name.toLowerCase(), value]));

/** undefined: it was not sent. Names as API Gateway gives them are lower-case; serverless-offline keeps their case. */
export const headerOf = (event: APIGatewayProxyEventV2, name: string): string | undefined =>
  event.headers[name] ?? headersByName(event)[name];
