import { createHash } from 'node:crypto';
import type { APIGatewayRequestAuthorizerEventV2, Context } from 'aws-lambda';
import { type AccessToken, isInWindow, parseAccessToken, type TokenRefusal } from '../app/access-token.ts';
import { type App, type AppKey, findApp, findFresherApp } from '../app/app.ts';
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
import { type AuthorizerContext, proofOf } from './caller.ts';
import { requestIdOf } from './event.ts';
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
  noteCaller({ appId: token.appId });
  const request = signedRequest(event);
  if (!request) return 'path';
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
): { app: App; signer: AppKey } | TokenRefusal {
  const signer = findSigner(token, app?.keys ?? [], request);
  if (!app) return 'unknown-app';
  if (app.disabled) return 'app-disabled';
  if (!app.methods.includes(token.signatureMethod)) return 'method';
  if (!isInWindow(token, now / 1000)) return 'window';
  return signer ? { app, signer } : 'signature';
}

function allowed(
  verdict: { app: App; signer: AppKey } | TokenRefusal,
  token: AccessToken,
  event: APIGatewayRequestAuthorizerEventV2,
): AuthorizerContext | TokenRefusal {
  if (typeof verdict === 'string') return verdict;
  const { app, signer } = verdict;
  noteCaller({ proof: proofOf(token.signatureMethod) });
  return {
    appId: app.appId,
    keyId: signer.keyId,
    scopes: app.scopes.join(','),
    plugins: app.plugins === null ? '*' : app.plugins.join(','),
    validates: app.validates ?? '',
    signatureMethod: token.signatureMethod,
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
  Object.entries(event.headers ?? {}).find(([name]) => name.toLowerCase() === 'x-content-sha256')?.[1];

function findSigner(token: AccessToken, keys: AppKey[], request: SignedRequest): AppKey | undefined {
  const parts = partsToSign(token, request);
  if (!parts) return undefined;
  // Always two comparisons, so that the time does not show how many keys an app has.
  const candidates = [keys[0] ?? DUMMY_KEY, keys[1] ?? DUMMY_KEY];
  const matches = candidates.filter((key) => {
    const expected = signatureOf(token.signatureMethod, parts, key);
    return signaturesEqual(token.signature, expected) && key !== DUMMY_KEY;
  });
  return matches[0];
}
