import type { APIGatewayProxyEventV2, APIGatewayProxyEventV2WithLambdaAuthorizer } from 'aws-lambda';
import * as v from 'valibot';
import type { AdmissionRequest, CacheRead } from '../admission/request.ts';
import type { Scope } from '../app/app.ts';
import type { ReadAnswer } from '../cache/cache.ts';
import { ignoreEngine } from '../cache/write.ts';
import { AppError } from '../errors.ts';
import type { CallerMark } from '../lock/give-back.ts';
import { ipIdentity } from '../lock/ip-identity.ts';
import { checkRules, type Identities, type LockRule, type LockTarget } from '../lock/rule.ts';
import { type CurrentUser, checkOf } from '../session/session.ts';
import { presentedSession } from '../session/token.ts';

export { Answer } from './answer.ts';

import type { AuthorizerContext, CallingApp } from './caller.ts';
import {
  bodyBytes,
  headerOf,
  limitBody,
  type ObjectSchema,
  parseBody,
  parseWith,
  queryMembers,
  sha256Hex,
} from './input.ts';
import type { Route } from './lambda.ts';
import { passAdmission } from './pass-admission.ts';
import type { Success } from './problem.ts';

/**
 * The one way to declare a handler behind the authorizer: it cannot be declared without admission, and the current
 * user arrives as a typed, frozen parameter (row B4), never through a global. The order of refusals is the contract's.
 */
type Output<S> = S extends ObjectSchema ? v.InferOutput<S> : Record<string, never>;

interface Declaration<P, Q, B, A extends 'app' | 'user' | 'by-input'> {
  /** As API Gateway names it: `POST /login`. It is also the target of the route's lock rules. */
  route: string;
  auth: A;
  /** For `by-input`: whether this call needs a user. */
  needsUser?: (input: Input<P, Q, B>) => boolean;
  scope: Scope;
  /** Beyond the scope: whether the app may call this path at all. Refused with the same SCOPE_DENIED. */
  permits?: (path: Readonly<Record<string, string | undefined>>, app: CallingApp) => boolean;
  /** v1 signatures are refused: the call moves money or credentials. */
  v2Only?: boolean;
  path?: P;
  query?: Q;
  body?: B;
  success?: Success;
  /** Refusals that need no memory or only a warm record, such as UNKNOWN_RESOURCE. */
  precheck?: (input: Input<P, Q, B>, app: CallingApp) => void | Promise<void>;
  /** Rules on the route itself. */
  rules?: readonly LockRule[];
  /** Further targets, such as `data:notice`. */
  targets?: (input: Input<P, Q, B>) => readonly LockTarget[];
  /** Identities beyond app, user and ip that rules count by. */
  identities?: (input: Input<P, Q, B>) => Identities;
  /** Cache keys that are looked up, or leased, in admission's own request. */
  reads?: (input: Input<P, Q, B>, caller: { app: CallingApp; userId: string | undefined }) => readonly CacheRead[];
}

interface Input<P, Q, B> {
  path: Output<P>;
  query: Output<Q>;
  body: Output<B>;
  /** The header idempotency-key as sent. */
  idempotencyKey: string | undefined;
}

interface Call<P, Q, B, A> extends Input<P, Q, B> {
  app: CallingApp;
  user: A extends 'user' ? CurrentUser : A extends 'by-input' ? CurrentUser | undefined : undefined;
  reads: readonly ReadAnswer[];
  requestId: string;
  /** IPv6 by its /64; '' when API Gateway names none. */
  ip: string;
  device: string;
  /** Gives back what `failure` rules charged, and marks the caller as known where a mark is given. */
  succeeded(mark?: CallerMark): Promise<void>;
}

export function endpoint<
  A extends 'app' | 'user' | 'by-input',
  P extends ObjectSchema | undefined = undefined,
  Q extends ObjectSchema | undefined = undefined,
  B extends ObjectSchema | undefined = undefined,
>(declaration: Declaration<P, Q, B, A>, handle: (call: Call<P, Q, B, A>) => Promise<unknown>): Route {
  return {
    route: declaration.route,
    success: declaration.success ?? 'ok',
    ...(declaration.rules && { rules: checkRules(declaration.route, declaration.rules) }),
    answer: async (event, _context, requestId) => handle(await admitted(declaration, event, requestId)),
  };
}

async function admitted<P, Q, B, A extends 'app' | 'user' | 'by-input'>(
  declaration: Declaration<P, Q, B, A>,
  event: APIGatewayProxyEventV2,
  requestId: string,
): Promise<Call<P, Q, B, A>> {
  const context = authorizerContext(event);
  const app = callingApp(context);
  const permitted = declaration.permits?.(event.pathParameters ?? {}, app) ?? true;
  if (!app.scopes.includes(declaration.scope) || !permitted) throw new AppError('SCOPE_DENIED');
  if (declaration.v2Only && context.signatureMethod !== 'HMAC-SHA256') throw new AppError('SIGNATURE_TOO_WEAK');
  const bytes = bodyBytes(event);
  limitBody(bytes);
  checkBodyHash(context, bytes);
  const input = parseInput(declaration, event, bytes);
  await declaration.precheck?.(input, app);

  const wantsUser = declaration.auth === 'user' || (declaration.auth === 'by-input' && declaration.needsUser?.(input));
  const session = wantsUser ? presentedSession(headerOf(event, 'authorization'), app.appId) : undefined;
  if (wantsUser && !session) throw new AppError('LOGIN_REQUIRED');

  const ip = ipIdentity(event.requestContext.http.sourceIp);
  const request: AdmissionRequest = {
    requestId,
    token: {
      appId: app.appId,
      keyId: context.keyId,
      signature: context.signature,
      nonce: context.nonce,
      timeStamp: context.timeStamp,
      version: context.signatureMethod === 'HMAC-SHA256' ? 2 : 1,
    },
    unsafe: event.requestContext.http.method !== 'GET',
    targets: [{ name: declaration.route, rules: declaration.rules ?? [] }, ...(declaration.targets?.(input) ?? [])],
    identities: {
      app: app.appId,
      ip,
      ...(session && { user: session.userId, session: session.tokenHash }),
      ...declaration.identities?.(input),
    },
    reads: declaration.reads?.(input, { app, userId: session?.userId }) ?? [],
    ...(session && { session: checkOf(session, app.appId) }),
  };
  const { admission, user } = await passAdmission(request, session);
  return {
    ...input,
    app,
    user: user as Call<P, Q, B, A>['user'],
    reads: admission.reads,
    requestId,
    ip,
    device: (headerOf(event, 'user-agent') ?? '').replace(/[^\x20-\x7e]/g, '').slice(0, 120),
    // What the call did stands: a charge that cannot be given back ends with its window.
    succeeded: (mark) => admission.giveBack(mark).catch(ignoreEngine),
  };
}

function authorizerContext(event: APIGatewayProxyEventV2): Exclude<AuthorizerContext, { unavailable: true }> {
  const { requestContext } = event as APIGatewayProxyEventV2WithLambdaAuthorizer<AuthorizerContext>;
  const context = requestContext.authorizer?.lambda;
  if (context?.unavailable) throw new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
  // Fails closed: a route wired without the authorizer serves nobody.
  if (!context || typeof context.appId !== 'string') throw new Error('the route has no authorizer');
  return context;
}

function callingApp(context: Exclude<AuthorizerContext, { unavailable: true }>): CallingApp {
  const plugins = context.plugins.split(',');
  return Object.freeze({
    appId: context.appId,
    scopes: Object.freeze(context.scopes.split(',') as Scope[]),
    mayIssueFor: (pluginId: string) => context.plugins === '*' || plugins.includes(pluginId),
    validates: context.validates === '' ? null : context.validates,
  });
}

/** v2 signed the hash that was declared; a v1 caller may declare one too. */
function checkBodyHash(context: Exclude<AuthorizerContext, { unavailable: true }>, bytes: Buffer): void {
  const bound = context.signatureMethod === 'HMAC-SHA256' || context.bodySha256 !== '';
  if (!bound) return;
  const declared = context.bodySha256 === '' ? sha256Hex(Buffer.alloc(0)) : context.bodySha256;
  if (declared !== sha256Hex(bytes)) throw new AppError('BODY_HASH_MISMATCH');
}

const NOTHING = v.strictObject({});

function parseInput<P, Q, B, A extends 'app' | 'user' | 'by-input'>(
  declaration: Declaration<P, Q, B, A>,
  event: APIGatewayProxyEventV2,
  bytes: Buffer,
): Input<P, Q, B> {
  const path = declaration.path as ObjectSchema | undefined;
  const query = (declaration.query ?? NOTHING) as ObjectSchema;
  const body = (declaration.body ?? NOTHING) as ObjectSchema;
  return {
    path: (path ? parseWith(path, event.pathParameters ?? {}, 'path') : {}) as Output<P>,
    query: parseWith(query, queryMembers(event), 'query') as Output<Q>,
    body: parseBody(body, bytes) as Output<B>,
    idempotencyKey: headerOf(event, 'idempotency-key'),
  };
}
