/** The bench of access tokens bundles this file as functions are bundled. */
export { isInWindow, parseAccessToken } from '../shared/app/access-token.ts';
export { sessionSigner, textOfSession } from '../shared/app/session-signature.ts';
export { partsToSign, signatureOf, signaturesEqual, signingKey } from '../shared/app/signature.ts';
export { isGenuineAppId, mintAppId } from '../shared/master-key.ts';
