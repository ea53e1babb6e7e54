import { keyFamily } from '../keys.ts';

/**
 * The mark of an app that an operator disabled, or whose keys were revoked. Its value is `off`, or the ids of the
 * revoked keys. A warm authorizer may accept such an app for 60 s more; because of this mark admission refuses all
 * calls but GET at once.
 */
export const appOffKey = keyFamily<[string]>({
  area: 'cache',
  name: 'app-off',
  version: 1,
  parts: ['id'],
  ttlSeconds: 180,
});
