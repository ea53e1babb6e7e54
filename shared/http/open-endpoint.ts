import type * as v from 'valibot';
import { bodyBytes, headersByName, limitBody, queryMembers } from './event.ts';
import { type ObjectSchema, parseWith } from './input.ts';
import type { Route } from './lambda.ts';
import type { Success } from './problem.ts';

/**
 * A route without the authorizer, for those who prove themselves in their own way: what they sent is handed on as it
 * came, and the handler checks it before it believes a byte of it.
 */
interface OpenCall<P extends ObjectSchema> {
  path: v.InferOutput<P>;
  query: Record<string, string>;
  /** By lower-case name. */
  headers: Record<string, string | undefined>;
  rawBody: Buffer;
  requestId: string;
}

/** Bodies beyond the limit are refused before the handler. A handler that answers undefined answers 204. */
export function openEndpoint<P extends ObjectSchema>(
  declaration: { route: string; path: P; success?: Success },
  handle: (call: OpenCall<P>) => Promise<unknown>,
): Route {
  return {
    route: declaration.route,
    success: declaration.success ?? 'ok',
    answer: async (event, _context, requestId) => {
      const rawBody = bodyBytes(event);
      limitBody(rawBody);
      return handle({
        path: parseWith(declaration.path, event.pathParameters ?? {}, 'path'),
        query: queryMembers(event),
        headers: headersByName(event),
        rawBody,
        requestId,
      });
    },
  };
}
