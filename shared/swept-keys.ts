import { type Key, keyFamily } from './keys.ts';

/**
 * Keys that cache-warm deletes when their rows change. They are here and not in the files of their concepts, so that
 * the bundle of cache-warm needs none of the secrets of these concepts. `PURE`: a bundle that does not use a family leaves
 * it out.
 */
export const appKey = /* @__PURE__ */ keyFamily<[string]>({
  area: 'cache',
  name: 'app',
  version: 1,
  parts: ['id'],
  ttlSeconds: 660,
});

/**
 * The copy of a session stays for this long after the session expired. So Redis alone can answer "expired". Without the
 * copy MySQL must be asked.
 */
export const SESSION_GRACE_SECONDS = 86_400;

export const sessionKey = /* @__PURE__ */ keyFamily<[string, string, string]>({
  area: 'session',
  name: 'session',
  version: 1,
  parts: ['id', 'id', 'id'],
  ttlSeconds: 2_592_000 + SESSION_GRACE_SECONDS,
});

/** The user's version. MySQL is asked about a session whose copy has another version. */
export const userVersionKey = /* @__PURE__ */ keyFamily<[string]>({
  area: 'session',
  name: 'user',
  version: 1,
  parts: ['id'],
  ttlSeconds: 2_592_000 + SESSION_GRACE_SECONDS,
});

const plugins = /* @__PURE__ */ keyFamily<[string]>({
  area: 'cache',
  name: 'plugins',
  version: 1,
  parts: ['id'],
  ttlSeconds: 660,
});
/** One value holds the map of all plugins. */
export const pluginsKey = (): Key => plugins('all');

/**
 * The schema of the extra user fields that an app registered (row B4 (current user)). Its source is the row in `apps`.
 */
export const userFieldsKey = /* @__PURE__ */ keyFamily<[string]>({
  area: 'cache',
  name: 'user-fields',
  version: 1,
  parts: ['id'],
  ttlSeconds: 660,
});

export const channelKey = /* @__PURE__ */ keyFamily<[string]>({
  area: 'cache',
  name: 'channel',
  version: 1,
  parts: ['id'],
  ttlSeconds: 660,
});

const products = /* @__PURE__ */ keyFamily<[string]>({
  area: 'cache',
  name: 'products',
  version: 1,
  parts: ['id'],
  ttlSeconds: 3_700,
});
/** One value holds the catalogue. */
export const productsKey = (): Key => products('all');

const merchants = /* @__PURE__ */ keyFamily<[string]>({
  area: 'cache',
  name: 'merchants',
  version: 2,
  parts: ['id'],
  ttlSeconds: 4_300,
});
export const merchantsKey = (): Key => merchants('all');

const miniPrograms = /* @__PURE__ */ keyFamily<[string]>({
  area: 'cache',
  name: 'mini-programs',
  version: 1,
  parts: ['id'],
  ttlSeconds: 1_300,
});
/** One value holds the mini-programs of all apps. */
export const miniProgramsKey = (): Key => miniPrograms('all');
