/** The bench of access tokens bundles this file as functions are bundled. */
export {
  isInWindow,
  parseAccessToken,
  partsToSign,
  signatureOf,
  signaturesEqual,
  signingKey,
} from '../shared/app/access-token.ts';
export { isGenuineAppId, mintAppId } from '../shared/master-key.ts';
