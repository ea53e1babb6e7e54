/** What the bench of access tokens bundles as a function is bundled. */
export {
  isInWindow,
  parseAccessToken,
  partsToSign,
  signatureOf,
  signaturesEqual,
  signingKey,
} from '../shared/app/access-token.ts';
export { isGenuineAppId, mintAppId } from '../shared/master-key.ts';
