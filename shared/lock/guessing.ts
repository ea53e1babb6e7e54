import { type Key, keyFamily } from '../keys.ts';
import type { CallerMark } from './give-back.ts';
import type { Identities, LockRule } from './rule.ts';

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

/** To be set after a success: callers who logged in from here in the last 30 days are not locked out by what others try. */
export const knownCallerMark = (account: string, ip: string): CallerMark => ({
  key: callerKey(account, ip),
  seconds: KNOWN_SECONDS,
});

const sparedBy = ({ account = '', ip = '' }: Identities): Key => callerKey(account, ip);

/**
 * A call is charged when it comes in and given back when it succeeds, so a limit has to exceed what one household may
 * have under way at once.
 */
function failureRules(limits: { accountIp: number; account: number; ip: number }): readonly LockRule[] {
  const common = { count: 'failure', onError: 'closed' } as const;
  return [
    {
      ...common,
      name: 'failures-by-account-ip',
      by: ['account', 'ip'],
      limit: limits.accountIp,
      windowSeconds: 900,
      lockSeconds: 60,
      escalate: { factor: 2, maxSeconds: 3_600, memorySeconds: 86_400 },
    },
    {
      ...common,
      name: 'failures-by-account',
      by: ['account'],
      limit: limits.account,
      windowSeconds: 3_600,
      lockSeconds: 900,
      sparedBy,
    },
    { ...common, name: 'failures-by-ip', by: ['ip'], limit: limits.ip, windowSeconds: 900, lockSeconds: 900 },
  ];
}

/** At most 100 failures an hour on one account, as NIST SP 800-63B has it. */
export const passwordRules = failureRules({ accountIp: 20, account: 100, ip: 300 });

/** Verification strings are random: nobody guesses one, and many devices of a household may log in at once. */
export const channelRules = failureRules({ accountIp: 60, account: 300, ip: 600 });
