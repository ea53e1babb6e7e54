import type { AccessToken } from '../../shared/app/access-token.ts';
import { partsToSign, type SignedRequest, signatureOf, signingKey } from '../../shared/app/signature.ts';

/** The signature that the server expects with this key; undefined: this path or query cannot be signed. */
export function expectedSignature(token: AccessToken, privateKey: string, request: SignedRequest): string | undefined {
  const parts = partsToSign(token, request);
  return parts && signatureOf(token.signatureMethod, parts, signingKey(token.appId, privateKey));
}
