import type * as v from 'valibot';
import { AppError } from '../errors.ts';
import { bindRules } from '../lock/bind.ts';
import { addressIdentities } from '../lock/ip-identity.ts';
import { checkRules, type LockRule } from '../lock/rule.ts';
import { chargeHere, refuseHere } from '../lock/without-redis.ts';
import { type ObjectSchema, parseWith } from '../parse.ts';
import { noteCaller } from '../telemetry.ts';
import { addressHash } from './address-hash.ts';
import { bodyBytes, headersByName, limitBody, queryMembers } from './event.ts';
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
}

/**
 * Signatures that are not valid, by address. Counted in this process: no engine is asked for a forged call, and valid
 * calls are never counted, however many come at once.
 */
const forgeries: LockRule = {
  name: 'bad-signatures',
  by: ['ip'],
  limit: 600,
  windowSeconds: 60,
  count: 'failure',
  onError: 'local',
};

/** Bodies above the size limit are refused before the handler runs. A handler that returns undefined answers 204. */
export function openEndpoint<P extends ObjectSchema>(
  declaration: { route: string; path: P; success?: Success },
  handle: (call: OpenCall<P>) => Promise<unknown>,
): Route {
  const rules = checkRules(declaration.route, [forgeries]);
  return {
    route: declaration.route,
    success: declaration.success ?? 'ok',
    rules,
    answer: async (event) => {
      noteCaller({ address: addressHash(event) });
      const bound = bindRules(
        [{ name: declaration.route, rules }],
        addressIdentities(event.requestContext.http.sourceIp),
      );
      refuseHere(bound, Date.now());
      const rawBody = bodyBytes(event);
      limitBody(rawBody);
      try {
        return await handle({
          path: parseWith(declaration.path, event.pathParameters ?? {}, 'path'),
          query: queryMembers(event),
          headers: headersByName(event),
          rawBody,
        });
      } catch (error) {
        if (error instanceof AppError && error.code === 'BAD_NOTIFY_SIGNATURE') chargeHere(bound, Date.now());
        throw error;
      }
    },
  };
}
