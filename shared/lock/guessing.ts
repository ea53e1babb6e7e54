import { ifKnownCaller, ifKnownDevice } from './known-caller.ts';
import { withNetworks } from './network-rules.ts';
import type { Identities, LockRule, LockTarget } from './rule.ts';

/**
 * Lock rules against guessing (row E5 (guessing)): failures are counted for the account, for account and address
 * together, and for the address. A successful call gets its charge back. Calls are counted too, because each of them
 * costs a hash or a statement.
 */

/** The first lock is short, because it may meet others; each further one within a day is twice as long. */
const steps = (maxSeconds: number): Pick<LockRule, 'lockSeconds' | 'escalate'> => ({
  lockSeconds: 60,
  escalate: { factor: 2, maxSeconds, memorySeconds: 86_400 },
});

const failure = { count: 'failure', onError: 'closed', windowSeconds: 900 } as const;
const call = { count: 'call', onError: 'closed', windowSeconds: 60 } as const;
/** A mark that was not issued here never gets so far, so these rules cost nothing for invented marks. */
const appliesTo = ({ device }: Identities): boolean => device !== undefined;

/** Failures of one account: from an address, from a known device, and from everywhere. */
function accountFailures(perAddress: number, limit: number): readonly LockRule[] {
  const byAddress: LockRule = {
    ...failure,
    ...steps(3_600),
    name: 'failures-by-account-ip',
    by: ['account', 'ip'],
    limit: perAddress,
    sparedBy: ifKnownDevice,
  };
  return [
    ...withNetworks(byAddress, { net56: 1.5 * perAddress, net48: 2 * perAddress }),
    { ...byAddress, name: 'failures-by-device', by: ['account', 'device'], sparedBy: undefined, appliesTo },
    { ...failure, ...steps(900), name: 'failures-by-account', by: ['account'], limit, sparedBy: ifKnownCaller },
  ];
}

/** Failures of one address, whatever the account. */
const addressFailures = (
  limits: { ip: number; net56: number; net48: number },
  sparedBy: LockRule['sparedBy'],
): readonly LockRule[] =>
  withNetworks({ ...failure, ...steps(900), name: 'failures-by-ip', by: ['ip'], limit: limits.ip, sparedBy }, limits);

const loginsByAddress = (sparedBy: LockRule['sparedBy']): readonly LockRule[] =>
  withNetworks({ ...call, name: 'logins-by-address', by: ['ip'], limit: 300, sparedBy }, { net56: 600, net48: 1_200 });

/** Logins, also successful ones. */
const logins: readonly LockRule[] = [
  ...loginsByAddress(ifKnownCaller),
  { ...call, name: 'logins-by-account', by: ['account', 'ip'], limit: 60, sparedBy: ifKnownDevice },
  { ...call, name: 'logins-by-device', by: ['account', 'device'], limit: 60, appliesTo },
];

/**
 * A call is charged when it arrives, and gets the charge back when it succeeds. So a limit has to be higher than the
 * number of calls that one household may send at the same time.
 */
export const passwordRules: readonly LockRule[] = [
  ...logins,
  ...accountFailures(20, 50),
  ...addressFailures({ ip: 150, net56: 300, net48: 600 }, ifKnownCaller),
];

/** Tokens for a forgotten password. */
export const resetRules: readonly LockRule[] = addressFailures({ ip: 30, net56: 60, net48: 120 }, undefined);

/** Verification strings are random and cannot be guessed, and many devices of a household may log in at once. */
export const channelRules: readonly LockRule[] = [
  ...logins,
  ...accountFailures(60, 150),
  ...addressFailures({ ip: 300, net56: 600, net48: 1_200 }, ifKnownCaller),
];

/**
 * Codes of wx.login. Who a code belongs to is not known before WeChat answers, so only a device can be known, and it is
 * known for all WeChat logins together. Each code that fails has used the quota of the mini-program: the app has a
 * budget of failures, too, so that many addresses cannot use it up.
 */
const codeRules: readonly LockRule[] = [
  // WeChat accepts a code once.
  { ...call, name: 'same-code', by: ['resource'], limit: 5, windowSeconds: 300 },
  {
    ...failure,
    name: 'failures-by-app',
    by: ['app'],
    limit: 300,
    windowSeconds: 60,
    sparedBy: ifKnownDevice,
  },
];
export const wechatRules: readonly LockRule[] = [
  ...codeRules,
  ...loginsByAddress(ifKnownDevice),
  ...addressFailures({ ip: 100, net56: 150, net48: 200 }, ifKnownDevice),
  { ...failure, ...steps(900), name: 'failures-by-device', by: ['device'], limit: 20, appliesTo },
];
/** Codes of wx.login that a logged-in user sends to another route. They are counted together with those of the login. */
export const wechatCodes: LockTarget = {
  name: 'POST /login/wechat',
  rules: [
    ...codeRules,
    ...addressFailures({ ip: 100, net56: 150, net48: 200 }, ifKnownDevice),
    { ...failure, ...steps(900), name: 'failures-by-user', by: ['user'], limit: 20 },
  ],
};

/** Codes of WeChat's phone button: each success costs the mini-program money. */
export const phoneCodes: LockTarget = {
  name: 'POST /me/identities/phone',
  rules: [
    ...withNetworks(
      { ...call, name: 'phone-codes-by-ip', by: ['ip'], limit: 1_000, windowSeconds: 3_600 },
      { net56: 2_000, net48: 4_000 },
    ),
    ...addressFailures({ ip: 100, net56: 150, net48: 200 }, ifKnownDevice),
    {
      ...failure,
      ...steps(900),
      name: 'failures-by-user',
      by: ['user'],
      limit: 20,
      appliesTo: ({ user }) => user !== undefined,
    },
  ],
};

/** Tickets of a channel. Each is shown to the server of another company, which has a budget of wrong ones. */
export const ticketRules: readonly LockRule[] = [
  ...addressFailures({ ip: 100, net56: 150, net48: 200 }, ifKnownCaller),
  { ...failure, ...steps(3_600), name: 'failures-by-device', by: ['account', 'device'], limit: 60, appliesTo },
  {
    ...failure,
    name: 'failures-by-channel',
    by: ['app', 'peer'],
    limit: 300,
    windowSeconds: 60,
    sparedBy: ifKnownCaller,
  },
];

/**
 * Passwords that a logged-in user types, on all routes together: a stolen session must not serve to find the password.
 * It is the target of the route where a password is changed.
 */
export const ownPassword: LockTarget = {
  name: 'PUT /me/password',
  rules: [{ ...failure, ...steps(900), name: 'failures-by-user', by: ['user'], limit: 10 }],
};
