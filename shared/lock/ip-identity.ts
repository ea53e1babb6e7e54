import { isIPv6 } from 'node:net';

/**
 * An IPv6 address is reduced to its /64 (one subscriber); an IPv4-mapped address equals its IPv4. '' without address.
 */
export function ipIdentity(ip: string | undefined): string {
  if (!ip) return '';
  if (!isIPv6(ip)) return ip;
  const groups = expandIPv6(ip);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return [6, 7].flatMap((i) => [(groups[i] as number) >> 8, (groups[i] as number) & 255]).join('.');
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** Eight numbers. The last two groups may be written as an IPv4 address. */
function expandIPv6(ip: string): number[] {
  const [front = '', back] = (ip.split('%')[0] as string).split('::');
  const head = groupsOf(front);
  const tail = groupsOf(back ?? '');
  const zeros = back === undefined ? [] : new Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0);
  return [...head, ...zeros, ...tail];
}

const groupsOf = (text: string): number[] =>
  text === ''
    ? []
    : text.split(':').flatMap((group) => {
        if (!group.includes('.')) return [Number.parseInt(group, 16)];
        const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
        return [a * 256 + b, c * 256 + d];
      });
