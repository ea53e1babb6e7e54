import {
  type AccessToken,
  partsToSign,
  type SignedRequest,
  signatureOf,
  signingKey,
} from '../../shared/app/access-token.ts';

/** What the server expects a holder of this key to have signed; undefined: nothing can sign this path or query. */
export function expectedSignature(token: AccessToken, privateKey: string, request: SignedRequest): string | undefined {
  const parts = partsToSign(token, request);
  return parts && signatureOf(token.signatureMethod, parts, signingKey(token.appId, privateKey));
}
