import { createHmac } from 'node:crypto';
import type { AccessToken, SignatureMethod } from '../../shared/app/access-token.ts';
import { partsToSign, type SignedRequest, signatureOf, signingKey } from '../../shared/app/signature.ts';

/** The signature that the server expects with this key; undefined: this path or query cannot be signed. */
export function expectedSignature(token: AccessToken, privateKey: string, request: SignedRequest): string | undefined {
  const parts = partsToSign(token, request);
  return parts && signatureOf(token.signatureMethod as SignatureMethod, parts, signingKey(token.appId, privateKey));
}

/** The key of a session, by the rule of the documents and without the code of the server. `secret`: 64 hex digits. */
export const expectedSessionKey = (secret: string, appId: string, session: string): string =>
  createHmac('sha256', Buffer.from(secret, 'hex')).update(`MPC3\n${appId}\n${session}`).digest('base64url');
