import { authorizerDecision, type FrontAnswer, functionAnswer, gatewayAnswer } from './answers.ts';
import { withDeadline } from './deadline.ts';
import { authorizerEvent, type GatewayRequest, handlerEvent, hasIdentity } from './events.ts';
import type { Lambda } from './lambda.ts';
import { type RouteMatch, routeFinder } from './routes.ts';
import type { ServerlessFile } from './serverless-file.ts';
import { throttle } from './throttle.ts';

class IntegrationTimeout extends Error {
  override readonly name = 'IntegrationTimeout';
}

/** A request that needs nothing but its body: answers it. Never rejects. */
type Accepted = (body: Buffer) => Promise<FrontAnswer>;

/**
 * Answers requests. The steps are in API Gateway's order: route, throttle, authorizer, function. What the head of a
 * request shows, a route that does not exist or a missing token, is refused without its body.
 */
export function startGateway(
  file: ServerlessFile,
  lambda: Lambda,
  throttled: boolean,
  log: (line: string) => void,
): (request: GatewayRequest) => Accepted | FrontAnswer {
  const findRoute = routeFinder(file.routes);
  const limits = throttled ? file.throttle : undefined;
  const admits = limits ? throttle(limits.ratePerSecond, limits.burst, Date.now) : () => true;

  /** The authorizer's context for the handler (undefined: the route has no authorizer), or the refusal. */
  async function authorize(request: GatewayRequest, match: RouteMatch): Promise<Authorized | FrontAnswer> {
    const { authorizer } = match.route;
    if (!authorizer) return { context: undefined };
    try {
      const event = authorizerEvent(request, match, authorizer);
      const decision = authorizerDecision(await lambda.invoke(authorizer.functionName, event));
      if (!decision) throw new Error('the result is not a simple response');
      return decision.allowed ? { context: { lambda: decision.context } } : gatewayAnswer(403);
    } catch (error) {
      log(failureLine(request, match, authorizer.functionName, error));
      return gatewayAnswer(500);
    }
  }

  async function run(request: GatewayRequest, match: RouteMatch, body: Buffer): Promise<FrontAnswer> {
    const authorized = await authorize(request, match);
    if ('status' in authorized) return authorized;
    const { functionName } = match.route;
    try {
      const work = lambda.invoke(functionName, handlerEvent(request, match, body, authorized.context));
      const seconds = file.integrationTimeoutSeconds;
      const late = () => new IntegrationTimeout(`no answer within ${seconds} s`);
      const canBeLate = (file.functions.get(functionName)?.timeoutSeconds ?? 0) > seconds;
      return functionAnswer(await (canBeLate ? withDeadline(work, seconds * 1000, late) : work));
    } catch (error) {
      log(failureLine(request, match, functionName, error));
      // As API Gateway: 500 after the function's own timeout, 503 after the gateway's limit.
      return gatewayAnswer(error instanceof IntegrationTimeout ? 503 : 500);
    }
  }

  return (request) => {
    const match = findRoute(request.method, request.rawPath);
    if (!match) return gatewayAnswer(404);
    if (!admits(match.route.key)) return gatewayAnswer(429);
    const { authorizer } = match.route;
    if (authorizer && !hasIdentity(request, authorizer)) return gatewayAnswer(401);
    return (body) => run(request, match, body);
  };
}

interface Authorized {
  context: { lambda: unknown } | undefined;
}

/** For a function that timed out or ended: it left no line of its own with the id of the call. */
function failureLine(
  { requestId }: GatewayRequest,
  { route }: RouteMatch,
  functionName: string,
  error: unknown,
): string {
  return JSON.stringify({ level: 'error', requestId, route: route.key, function: functionName, error: String(error) });
}
