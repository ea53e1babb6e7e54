import type { APIGatewayProxyEventV2, APIGatewayProxyEventV2WithLambdaAuthorizer } from 'aws-lambda';
import type { AccessToken } from '../app/access-token.ts';
import type { ClientSpend, OpenScope, Scope } from '../app/app.ts';
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
  /** Absent, like `actsFor`, if the authorizer is of the former release. */
  clientSpend?: ClientSpend;
  actsFor?: string;
  signatureMethod: AccessToken['signatureMethod'];
  /** `<userId>.<sid>` of the session that signed (v3). '': none did. */
  session: string;
  signature: string;
  nonce: string;
  timeStamp: number;
  bodySha256: string;
  /** A keyed hash, for the log lines of the function, which has no key to make it. */
  address: string;
}

/**
 * What proved a call (rows A1, A4): a key of the app (v1, v2); a session of a public app (v3); nothing, if a public app
 * only named itself.
 */
export type Proof = 'key' | 'session' | 'none';

export function proofOf({ signatureMethod }: ProvenContext): Proof {
  switch (signatureMethod) {
    case 'SHA1':
    case 'MD5':
    case 'HMAC-SHA256':
      return 'key';
    case 'SESSION-HMAC-SHA256':
      return 'session';
    case 'NAMED':
      return 'none';
    default:
      // Fails closed: the authorizer and the function are of different versions, or it did not run.
      throw new Error('the authorizer gave no known signature method');
  }
}

/** The calling app, as its access_token proved or named it. */
export interface CallingApp {
  readonly appId: string;
  readonly scopes: ReadonlyArray<Scope | OpenScope>;
  /** The access_token has a v1 signature, which covers neither the path nor the query. */
  readonly signsV1: boolean;
  /** Whether the app may issue tokens for this plugin. */
  mayIssueFor(pluginId: string): boolean;
  /** The one plugin whose tokens the app validates; null: it validates none. */
  readonly validates: string | null;
  /** What its users may spend by themselves. */
  readonly clientSpend: ClientSpend;
  /** The app whose wallets it works on: its own, unless it is a server app that acts for another. */
  readonly walletAppId: string;
}

/** In log lines. They show when no call is signed with a key of the app any more. */
export const SIGNED_WITH = {
  SHA1: 'v1',
  MD5: 'v1',
  'HMAC-SHA256': 'v2',
  'SESSION-HMAC-SHA256': 'session',
  NAMED: 'named',
} as const satisfies Record<AccessToken['signatureMethod'], string>;

/** Throws UNAVAILABLE when the authorizer could not load the app record. */
export function authorizerContext(event: APIGatewayProxyEventV2): ProvenContext {
  const { requestContext } = event as APIGatewayProxyEventV2WithLambdaAuthorizer<AuthorizerContext>;
  const context = requestContext.authorizer?.lambda;
  if (context?.unavailable) throw new AppError('UNAVAILABLE');
  // Fails closed: a route that is configured without the authorizer refuses every call.
  if (!context || typeof context.appId !== 'string') throw new Error('the route has no authorizer');
  return context;
}

export const isV1 = ({ signatureMethod }: ProvenContext): boolean =>
  signatureMethod === 'SHA1' || signatureMethod === 'MD5';

export function callingApp(context: ProvenContext): CallingApp {
  const plugins = context.plugins.split(',');
  return Object.freeze({
    appId: context.appId,
    scopes: Object.freeze(context.scopes.split(',') as Array<Scope | OpenScope>),
    signsV1: isV1(context),
    mayIssueFor: (pluginId: string) => context.plugins === '*' || plugins.includes(pluginId),
    validates: context.validates === '' ? null : context.validates,
    clientSpend: context.clientSpend ?? 'free',
    walletAppId: context.actsFor || context.appId,
  });
}
