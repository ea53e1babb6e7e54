import { createHash } from 'node:crypto';
import type { APIGatewayRequestAuthorizerEventV2, Context } from 'aws-lambda';
import {
  type AccessToken,
  isInWindow,
  PUBLIC_SIDE,
  parseAccessToken,
  SESSION_METHOD,
  type TokenRefusal,
} from '../app/access-token.ts';
import { type App, type AppKey, findApp, findFresherApp } from '../app/app.ts';
import { sessionSigner } from '../app/session-signature.ts';
import {
  decodePath,
  partsToSign,
  type SignedRequest,
  signatureOf,
  signaturesEqual,
  signingKey,
} from '../app/signature.ts';
import { checkClock } from '../clock.ts';
import { EngineError } from '../errors.ts';
import { count, logInvocation, noteCaller, runInvocation } from '../telemetry.ts';
import { addressHash } from './address-hash.ts';
import { type AuthorizerContext, SIGNED_WITH } from './caller.ts';
import { headerOf, requestIdOf } from './event.ts';
import { logEngineError, logUnknown } from './log-unknown.ts';

type Decision = { isAuthorized: boolean; context?: AuthorizerContext };

const EMPTY_SHA256 = createHash('sha256').digest('hex');
/** An unknown app goes through the same computations as a known one. */
const DUMMY_KEY: AppKey = { keyId: '', ...signingKey('', createHash('sha256').update('no such app').digest('hex')) };

/**
 * Checks signature and time from the token alone. The body is not available here: v2 signs the hash that the caller
 * declares, and endpoint() compares it. `now`: Unix milliseconds, the time for the token's window.
 */
export async function authorizeCall(
  event: APIGatewayRequestAuthorizerEventV2,
  lambda: Context,
  now = Date.now(),
): Promise<Decision> {
  const startedAt = Date.now();
  return runInvocation(requestIdOf(event), lambda.getRemainingTimeInMillis(), async () => {
    noteCaller({ route: event.routeKey, proof: 'none', address: addressHash(event) });
    const decision = await decide(event, now).catch((error: unknown) => {
      logUnknown(error);
      logInvocation({ step: 'authorizer', status: 500, code: 'INTERNAL', ms: Date.now() - startedAt });
      throw error;
    });
    const refusal = typeof decision === 'string' ? decision : undefined;
    if (refusal) count(`access-token.${refusal}`);
    logInvocation({
      step: 'authorizer',
      status: refusal ? 403 : 200,
      ...(refusal && { code: refusal }),
      ms: Date.now() - startedAt,
    });
    return typeof decision === 'string' ? { isAuthorized: false } : { isAuthorized: true, context: decision };
  });
}

async function decide(
  event: APIGatewayRequestAuthorizerEventV2,
  now: number,
): Promise<AuthorizerContext | TokenRefusal> {
  const token = parseAccessToken(event.identitySource?.[0] ?? '');
  if (typeof token === 'string') return token;
  noteCaller({ app: token.appId });
  const request = signedRequest(event);
  if (!request) return 'path';
  const early = token.signatureMethod === SESSION_METHOD && refusalOfSession(token, request, event, now);
  if (early) return early;
  try {
    const known = await findApp(token.appId, now);
    const verdict = judge(token, request, known, now);
    // The token is refused because of its time alone: the wrong clock may be this process's.
    if (verdict === 'window' && known && findSigner(token, known.keys, request)) await checkClock('authorizer');
    if (typeof verdict !== 'string' || !known || !MAY_HAVE_CHANGED.has(verdict)) return allowed(verdict, token, event);
    const fresher = await findFresherApp(token.appId, now);
    return allowed(fresher === undefined ? verdict : judge(token, request, fresher, now), token, event);
  } catch (error) {
    // The app record cannot be loaded: the call is allowed with `unavailable`, and endpoint() answers 503.
    if (error instanceof EngineError) {
      logEngineError(error);
      return { unavailable: true };
    }
    throw error;
  }
}

/**
 * These refusals may come from a cached record that is too old: the app may have been enabled, or got a key or a
 * method.
 */
const MAY_HAVE_CHANGED: ReadonlySet<TokenRefusal> = new Set(['app-disabled', 'method', 'signature']);

function judge(
  token: AccessToken,
  request: SignedRequest,
  app: App | null,
  now: number,
): { app: App; keyId: string } | TokenRefusal {
  const keyId = findSigner(token, app?.keys ?? [], request);
  const method = token.signatureMethod === 'NAMED' ? SESSION_METHOD : token.signatureMethod;
  if (!app) return 'unknown-app';
  if (app.disabled) return 'app-disabled';
  if (!app.methods.includes(method)) return 'method';
  if (keyId !== PUBLIC_SIDE && !isInWindow(token, now / 1000)) return 'window';
  return keyId ? { app, keyId } : 'signature';
}

/**
 * Proves the signature of a session (v3) before any engine is asked, so that forged sessions cost computation alone.
 * undefined: it is proven. A new SIGNING_KEY shows in the count of keys that were made under a former one.
 */
function refusalOfSession(
  token: AccessToken,
  request: SignedRequest,
  event: APIGatewayRequestAuthorizerEventV2,
  now: number,
): TokenRefusal | undefined {
  if (!isInWindow(token, now / 1000)) return 'window';
  const signer = sessionSigner(token, request, headerOf(event, 'idempotency-key') ?? '');
  if (signer === 'former') count('access-token.old-signing-key');
  return signer ? undefined : 'signature';
}

function allowed(
  verdict: { app: App; keyId: string } | TokenRefusal,
  token: AccessToken,
  event: APIGatewayRequestAuthorizerEventV2,
): AuthorizerContext | TokenRefusal {
  if (typeof verdict === 'string') return verdict;
  const { app, keyId } = verdict;
  noteCaller({ proof: SIGNED_WITH[token.signatureMethod] });
  return {
    appId: app.appId,
    keyId,
    scopes: app.scopes.join(','),
    plugins: app.plugins === null ? '*' : app.plugins.join(','),
    validates: app.validates ?? '',
    clientSpend: app.clientSpend,
    actsFor: app.actsFor ?? '',
    signatureMethod: token.signatureMethod,
    session: token.session,
    signature: token.signature,
    nonce: token.nonce,
    timeStamp: Number(token.timeStamp),
    bodySha256: declaredBodyHash(event) ?? '',
    address: addressHash(event),
  };
}

/** undefined: the path can be read in two ways. */
function signedRequest(event: APIGatewayRequestAuthorizerEventV2): SignedRequest | undefined {
  const path = decodePath(event.rawPath);
  if (path === undefined) return undefined;
  return {
    method: event.requestContext.http.method,
    path,
    rawQuery: event.rawQueryString,
    bodySha256: declaredBodyHash(event) ?? EMPTY_SHA256,
  };
}

/** endpoint() checks that the body has this hash. */
const declaredBodyHash = (event: APIGatewayRequestAuthorizerEventV2): string | undefined =>
  headerOf(event, 'x-content-sha256');

/** The id of the key that signed. undefined: none of the app's. A token without such a signature was judged before. */
function findSigner(token: AccessToken, keys: AppKey[], request: SignedRequest): string | undefined {
  const { signatureMethod } = token;
  if (signatureMethod === 'NAMED' || signatureMethod === SESSION_METHOD) return PUBLIC_SIDE;
  const parts = partsToSign(token, request);
  if (!parts) return undefined;
  // Always two comparisons, so that the time does not show how many keys an app has.
  const candidates = [keys[0] ?? DUMMY_KEY, keys[1] ?? DUMMY_KEY];
  const matches = candidates.filter((key) => {
    const expected = signatureOf(signatureMethod, parts, key);
    return signaturesEqual(token.signature, expected) && key !== DUMMY_KEY;
  });
  return matches[0]?.keyId;
}
