import { checkRules, type Identities, type IdentityName, type LockRule, type LockTarget } from './rule.ts';

/**
 * The rules of every route: without one a caller could fill Redis with the records of its calls, and take all the time
 * of the functions. Each call is counted by at most two of them: by app and address; and by user, or for calls without
 * a user by the /48 of an IPv6 address. All routes count together.
 */
export const EVERY_ROUTE = '*';

/** Calls a minute. A route that declares its own limits is counted apart. */
export interface CallLimits {
  /** Of one app from one address. Four times as many from one /48 of IPv6. */
  address?: number;
  user?: number;
}

/** One address may be a school or an office, so it has more calls than one user. */
const DEFAULTS: Required<CallLimits> = { address: 2_400, user: 1_200 };
const NETWORK_FACTOR = 4;

const ruleOf = (name: string, by: IdentityName[], limit: number): LockRule => ({
  name,
  by,
  limit,
  windowSeconds: 60,
  count: 'call',
  onError: 'local',
});

/** The rules with these limits. */
export const callRules = ({ address = DEFAULTS.address, user = DEFAULTS.user }: CallLimits): readonly LockRule[] => [
  ruleOf('calls-by-address', ['app', 'ip'], address),
  { ...ruleOf('calls-by-user', ['user'], user), appliesTo: hasUser },
  {
    ...ruleOf('calls-by-network', ['app', 'net48'], NETWORK_FACTOR * address),
    appliesTo: (identities) => !hasUser(identities) && identities.net48 !== undefined,
  },
];

const hasUser = ({ user }: Identities): boolean => user !== undefined;

/** The target of all routes. Operators replace its rules by `lock set --target '*'`. */
export const EVERY_CALL: LockTarget = {
  name: EVERY_ROUTE,
  rules: checkRules(EVERY_ROUTE, callRules({})),
  replaceable: true,
};
/** The same for a route with its own limits: blocks and operators' rules apply, the default rules do not. */
const OPERATORS_ONLY: LockTarget = { ...EVERY_CALL, rules: [] };

/** The targets of a route. `rules`: those that it declares. */
export const targetsOfRoute = (
  name: string,
  rules: readonly LockRule[],
  limits: CallLimits | undefined,
): LockTarget[] => [{ name, rules }, limits ? OPERATORS_ONLY : EVERY_CALL];
