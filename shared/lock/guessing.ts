import { type Key, keyFamily } from '../keys.ts';
import type { CallerMark } from './give-back.ts';
import type { Identities, LockRule } from './rule.ts';

/**
 * Lock rules against guessing (row E5 (guessing)): failures are counted for the account, for account and
 * address together, and for the address. A successful call gets its charge back.
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

/**
 * Set after a success. Failures of others do not lock out callers who logged in from this address in the last 30 days.
 */
export const knownCallerMark = (account: string, ip: string): CallerMark => ({
  key: callerKey(account, ip),
  seconds: KNOWN_SECONDS,
});

const sparedBy = ({ account = '', ip = '' }: Identities): Key => callerKey(account, ip);

/**
 * A call is charged when it arrives, and gets the charge back when it succeeds. So a limit has to be higher than the
 * number of calls that one household may send at the same time.
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

/** At most 100 failures an hour for one account (NIST SP 800-63B). */
export const passwordRules = failureRules({ accountIp: 20, account: 100, ip: 300 });

/** Verification strings are random and cannot be guessed, and many devices of a household may log in at once. */
export const channelRules = failureRules({ accountIp: 60, account: 300, ip: 600 });
