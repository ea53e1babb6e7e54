import type * as v from 'valibot';
import { bodyBytes, headersByName, limitBody, queryMembers } from './event.ts';
import { type ObjectSchema, parseWith } from './input.ts';
import type { Route } from './lambda.ts';
import type { Success } from './problem.ts';

/**
 * A route without the authorizer, for callers that authenticate in another way. The request is passed on unparsed, and
 * the handler has to verify it before it uses any part of it.
 */
interface OpenCall<P extends ObjectSchema> {
  path: v.InferOutput<P>;
  query: Record<string, string>;
  /** The names are in lower case. */
  headers: Record<string, string | undefined>;
  rawBody: Buffer;
  requestId: string;
}

/** Bodies above the size limit are refused before the handler runs. A handler that returns undefined answers 204. */
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
