/** What the bench of access tokens bundles as a function is bundled. */
export * from '../shared/app/access-token.ts';
export * from '../shared/master-key.ts';
