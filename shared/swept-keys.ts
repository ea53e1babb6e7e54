import { type Key, keyFamily } from './keys.ts';

/** Keys that cache-warm sweeps. They stand apart from their concepts so that it needs no secret of theirs. */
export const appKey = keyFamily<[string]>({ area: 'cache', name: 'app', version: 1, parts: ['id'], ttlSeconds: 660 });

/** A session's copy outlives it, so that `expired` (there, in grace) and `absent` (ask MySQL) differ at no cost. */
export const SESSION_GRACE_SECONDS = 86_400;

export const sessionKey = keyFamily<[string, string, string]>({
  area: 'session',
  name: 'session',
  version: 1,
  parts: ['id', 'id', 'id'],
  ttlSeconds: 2_592_000 + SESSION_GRACE_SECONDS,
});

/** The user's version: sessions stamped with another one are asked again. */
export const userVersionKey = keyFamily<[string]>({
  area: 'session',
  name: 'user',
  version: 1,
  parts: ['id'],
  ttlSeconds: 2_592_000 + SESSION_GRACE_SECONDS,
});

const plugins = keyFamily<[string]>({ area: 'cache', name: 'plugins', version: 1, parts: ['id'], ttlSeconds: 660 });
/** The map of all plugins is one value. */
export const pluginsKey = (): Key => plugins('all');

/** The extra user fields an app registered (row B4); its row in `apps` holds them. */
export const userFieldsKey = keyFamily<[string]>({
  area: 'cache',
  name: 'user-fields',
  version: 1,
  parts: ['id'],
  ttlSeconds: 660,
});

export const channelKey = keyFamily<[string]>({
  area: 'cache',
  name: 'channel',
  version: 1,
  parts: ['id'],
  ttlSeconds: 660,
});

const products = keyFamily<[string]>({ area: 'cache', name: 'products', version: 1, parts: ['id'], ttlSeconds: 3_700 });
/** The catalogue is one value. */
export const productsKey = (): Key => products('all');

const merchants = keyFamily<[string]>({
  area: 'cache',
  name: 'merchants',
  version: 1,
  parts: ['id'],
  ttlSeconds: 4_300,
});
export const merchantsKey = (): Key => merchants('all');
