import type { LockRule } from './rule.ts';

/**
 * A rule that counts by address, and the same rule for the wider networks of IPv6 with higher limits: one customer of a
 * provider often has a whole /56 or /48, and with it up to 65 536 networks of /64.
 */
export function withNetworks(rule: LockRule, limits: { net56: number; net48: number }): readonly LockRule[] {
  const wider = (network: 'net56' | 'net48'): LockRule => ({
    ...rule,
    name: `${rule.name}-${network.slice('net'.length)}`,
    by: rule.by.map((name) => (name === 'ip' ? network : name)),
    limit: limits[network],
    appliesTo: (identities) => identities[network] !== undefined && (rule.appliesTo?.(identities) ?? true),
  });
  return [rule, wider('net56'), wider('net48')];
}
