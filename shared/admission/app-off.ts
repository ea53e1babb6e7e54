import { keyFamily } from '../keys.ts';

/**
 * Stands for as long as a warm authorizer may still hold the app's record: `off`, or the ids of its revoked keys.
 * Calls that change something are refused by it at once.
 */
export const appOffKey = keyFamily<[string]>({
  area: 'cache',
  name: 'app-off',
  version: 1,
  parts: ['id'],
  ttlSeconds: 180,
});
