import { AppError } from '../errors.ts';

/**
 * Password hashes of one account from one address, computed or waiting, in this process. A household logs in with fewer
 * devices at the same moment; more would only wait for each other, and make others wait.
 */
const MAX_OF_ONE = 8;
/** Of one address: half of the queue, so that no address alone can fill it. */
const MAX_OF_ADDRESS = 32;
/** Of one /48 of IPv6: a provider gives a whole one to one customer, or to many phones. */
const MAX_OF_NETWORK = 48;
const RULE = 'passwords-at-once';
const places = new Map<string, number>();

/** Returns the function that gives the place back. Throws LOCKED when this caller has all of its places. */
export function takePlace(address: string, account: string): () => void {
  const network = networkOf(address);
  const limits: Array<[name: string, most: number]> = [
    [JSON.stringify([address, account]), MAX_OF_ONE],
    [JSON.stringify([address]), MAX_OF_ADDRESS],
    ...(network === undefined ? [] : [[network, MAX_OF_NETWORK] as [string, number]]),
  ];
  for (const [name, most] of limits) if ((places.get(name) ?? 0) >= most) throw tooManyAtOnce(most);
  for (const [name] of limits) places.set(name, (places.get(name) ?? 0) + 1);
  return () => {
    for (const [name] of limits) {
      const left = (places.get(name) ?? 1) - 1;
      if (left > 0) places.set(name, left);
      else places.delete(name);
    }
  };
}

/** The /48 of a /64 of IPv6. undefined: an IPv4 address has none. */
export const networkOf = (address: string): string | undefined =>
  address.includes(':') ? `${address.split(':').slice(0, 3).join(':')}::/48` : undefined;

/** LOCKED, which is counted as a call and not as a failure. `most`: places that this caller, or all callers, have. */
export const tooManyAtOnce = (most: number): AppError =>
  new AppError('LOCKED', undefined, {
    retryAfterSeconds: 1,
    headers: {
      ratelimit: `"${RULE}";r=0;t=1`,
      'ratelimit-policy': `"${RULE}";q=${most};qu="concurrent-requests"`,
    },
  });
