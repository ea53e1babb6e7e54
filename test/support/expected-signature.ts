import {
  type AccessToken,
  partsToSign,
  type SignedRequest,
  signatureOf,
  signingKey,
} from '../../shared/app/access-token.ts';

/** The signature that the server expects with this key; undefined: this path or query cannot be signed. */
export function expectedSignature(token: AccessToken, privateKey: string, request: SignedRequest): string | undefined {
  const parts = partsToSign(token, request);
  return parts && signatureOf(token.signatureMethod, parts, signingKey(token.appId, privateKey));
}
