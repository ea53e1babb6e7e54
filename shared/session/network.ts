/**
 * Where a session was used, as coarsely as its user needs to notice a stranger: `203.0.0.0/16`, `2001:db8::/32`.
 * `address`: an IPv4 address or a /64 of IPv6. '' if it is not known.
 */
export function networkOf(address: string): string {
  if (address.includes(':')) return `${address.split(':').slice(0, 2).join(':')}::/32`;
  const [a, b] = address.split('.');
  return b === undefined ? '' : `${a}.${b}.0.0/16`;
}
