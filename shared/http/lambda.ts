import { randomUUID } from 'node:crypto';
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { checkConfig } from '../config.ts';
import type { LockRule } from '../lock/rule.ts';
import type { ObjectSchema } from '../parse.ts';
import { logInvocation, noteCaller, runInvocation } from '../telemetry.ts';
import { Answer } from './answer.ts';
import type { Auth, Permission } from './declaration.ts';
import { headerOf, requestIdOf } from './event.ts';
import { logEngineError, logUnknown } from './log-unknown.ts';
import { chooseLanguage, type HttpAnswer, problemFor, type Success, successAnswer } from './problem.ts';

/** One route of a function. */
export interface Route {
  /** The name in serverless.yml and API Gateway: `POST /login`. */
  route: string;
  success: Success;
  /** Lock rules declared on the route, for operators who look at its counts. */
  rules?: readonly LockRule[];
  /** What a caller has to send, for tools and tests that visit all routes. undefined: a route without authorizer. */
  demands?: Demands;
  /**
   * `leaseId`: random, a new one for each invocation, and never shown. It holds leases in the cache and the replay
   * record. The id of the answer cannot do that, because the caller knows it.
   */
  answer(event: APIGatewayProxyEventV2, lambda: Context, leaseId: string): Promise<unknown>;
}

/** Its functions take the results of the route's schemas. */
interface Demands extends Permission {
  auth: Auth;
  lookup?: (input: never, app: never) => unknown;
  needsUser?: (input: never) => boolean;
  path?: ObjectSchema | undefined;
  query?: ObjectSchema | undefined;
  headers?: ObjectSchema | undefined;
  body?: ObjectSchema | undefined;
}

type LambdaHandler = (event: APIGatewayProxyEventV2, context: Context) => Promise<HttpAnswer>;

/** The handler of a function that serves these routes. */
export function serve(...routes: Route[]): LambdaHandler & { routes: readonly Route[] } {
  const byKey = new Map(routes.map((route) => [route.route, route]));
  const handle: LambdaHandler = (event, context) => {
    const requestId = requestIdOf(event);
    const remaining = context.getRemainingTimeInMillis();
    return runInvocation(requestId, remaining, () => answer(byKey, event, context, requestId));
  };
  return Object.assign(handle, { routes });
}

async function answer(
  routes: Map<string, Route>,
  event: APIGatewayProxyEventV2,
  context: Context,
  requestId: string,
): Promise<HttpAnswer> {
  const startedAt = Date.now();
  noteCaller({ route: event.routeKey, proof: 'none' });
  const route = routes.get(event.routeKey);
  try {
    checkConfig();
    if (!route) throw new Error(`no handler for ${event.routeKey}`);
    const result = await route.answer(event, context, randomUUID());
    const [body, headers] = result instanceof Answer ? [result.body, result.headers] : [result, {}];
    const success = successAnswer(body === undefined ? 'no-content' : route.success, body, headers, requestId);
    logInvocation({ step: 'function', status: success.statusCode, ms: Date.now() - startedAt });
    return success;
  } catch (error) {
    const problem = problemFor(error, requestId, chooseLanguage(headerOf(event, 'accept-language')));
    if (problem.expected) logEngineError(error);
    else logUnknown(error);
    logInvocation({
      step: 'function',
      status: problem.answer.statusCode,
      code: problem.code,
      ms: Date.now() - startedAt,
    });
    return problem.answer;
  }
}
