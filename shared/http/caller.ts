import type { APIGatewayProxyEventV2, APIGatewayProxyEventV2WithLambdaAuthorizer } from 'aws-lambda';
import type { SignatureMethod } from '../app/access-token.ts';
import type { Scope } from '../app/app.ts';
import { AppError } from '../errors.ts';

/** What the authorizer passes on. `unavailable` alone: no engine could give the app record. */
export type AuthorizerContext = { unavailable: true } | ProvenContext;

/** The context of a call whose access_token was accepted. */
export interface ProvenContext {
  unavailable?: never;
  appId: string;
  keyId: string;
  scopes: string;
  plugins: string;
  validates: string;
  signatureMethod: SignatureMethod;
  signature: string;
  nonce: string;
  timeStamp: number;
  bodySha256: string;
  /** A keyed hash, for the log lines of the function, which has no key to make it. */
  address: string;
}

/** The calling app, as its access_token proved it. */
export interface CallingApp {
  readonly appId: string;
  readonly scopes: readonly Scope[];
  /** Whether the app may issue tokens for this plugin. */
  mayIssueFor(pluginId: string): boolean;
  /** The one plugin whose tokens the app validates; null: it validates none. */
  readonly validates: string | null;
}

export const proofOf = (method: SignatureMethod) => (method === 'HMAC-SHA256' ? 'key-v2' : 'key-v1');

/** Throws UNAVAILABLE when the authorizer could not load the app record. */
export function authorizerContext(event: APIGatewayProxyEventV2): ProvenContext {
  const { requestContext } = event as APIGatewayProxyEventV2WithLambdaAuthorizer<AuthorizerContext>;
  const context = requestContext.authorizer?.lambda;
  if (context?.unavailable) throw new AppError('UNAVAILABLE');
  // Fails closed: a route that is configured without the authorizer refuses every call.
  if (!context || typeof context.appId !== 'string') throw new Error('the route has no authorizer');
  return context;
}

export function callingApp(context: ProvenContext): CallingApp {
  const plugins = context.plugins.split(',');
  return Object.freeze({
    appId: context.appId,
    scopes: Object.freeze(context.scopes.split(',') as Scope[]),
    mayIssueFor: (pluginId: string) => context.plugins === '*' || plugins.includes(pluginId),
    validates: context.validates === '' ? null : context.validates,
  });
}
