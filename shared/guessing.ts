import type { Identities, LockRule } from './api-lock.ts';
import { type Key, keyFamily } from './keys.ts';

/**
 * Lock rules against guessing (row E5): failures are counted, by account, by account and address, and by address. A
 * success gives back what its call was charged.
 */
const knownCaller = keyFamily<[string, string]>({
  area: 'lock',
  name: 'known',
  version: 1,
  parts: ['text', 'text'],
  ttlSeconds: 31 * 86_400,
});
const KNOWN_SECONDS = 30 * 86_400;

const callerKey = (account: string, ip: string): Key => knownCaller(account, ip);

/** To be set after a success: whoever logged in from here in the last 30 days is not locked out by what others try. */
export const knownCallerMark = (account: string, ip: string): { key: Key; seconds: number } => ({
  key: callerKey(account, ip),
  seconds: KNOWN_SECONDS,
});

const sparedBy = ({ account = '', ip = '' }: Identities): Key => callerKey(account, ip);

export const guessingRules: readonly LockRule[] = [
  {
    name: 'failures-by-account-ip',
    by: ['account', 'ip'],
    limit: 10,
    windowSeconds: 900,
    lockSeconds: 60,
    escalate: { factor: 2, maxSeconds: 3_600, memorySeconds: 86_400 },
    count: 'failure',
    onError: 'closed',
  },
  {
    name: 'failures-by-account',
    by: ['account'],
    limit: 50,
    windowSeconds: 3_600,
    lockSeconds: 900,
    count: 'failure',
    onError: 'closed',
    sparedBy,
  },
  {
    name: 'failures-by-ip',
    by: ['ip'],
    limit: 200,
    windowSeconds: 900,
    lockSeconds: 900,
    count: 'failure',
    onError: 'closed',
  },
];
