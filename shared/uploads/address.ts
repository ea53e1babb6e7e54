import { optionalUrl } from '../config.ts';
import { objectStore, objectUrl, type Store } from './settings.ts';
import { signedAddress } from './sign.ts';

/**
 * Where a client reads a kept object. Addresses are made when a call is answered; caches hold the key. A signed address
 * is the same for five minutes, so that a client can cache the picture by it, and it is valid for at least 15 minutes.
 */
const publicUrl = optionalUrl('UPLOADS_PUBLIC_URL');

const SAME_MS = 300_000;
const VALID_SECONDS = 900 + SAME_MS / 1000;

/** null: no object is named, or this deployment has no store any more. `now`: Unix milliseconds. */
export function addressOf(key: unknown, serve: 'public' | 'signed', now: number): string | null {
  const store = typeof key === 'string' && key !== '' ? objectStore() : undefined;
  if (!store) return null;
  if (serve === 'public') return publicAddress(store, String(key));
  return signedAddress(store, { method: 'GET', key: String(key), at: now - (now % SAME_MS) }, VALID_SECONDS);
}

function publicAddress(store: Store, key: string): string {
  const base = publicUrl();
  return base ? `${base.href.replace(/\/$/, '')}/${key}` : objectUrl(store, key).href;
}
