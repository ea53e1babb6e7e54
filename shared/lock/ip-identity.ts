import { isIPv6 } from 'node:net';
import type { Identities } from './rule.ts';

/**
 * An IPv6 address is reduced to its /64 (one subscriber); an address that holds an IPv4 address equals it. '' without address.
 */
export const ipIdentity = (ip: string | undefined): string => addressIdentities(ip).ip;

/**
 * The address of a caller as rules count it. `ip`: an IPv4 address, or a /64 of IPv6. A provider gives one customer a
 * /56 or a /48, too, so an IPv6 address also has these networks. An IPv4 address has none.
 */
export function addressIdentities(ip: string | undefined): { ip: string } & Pick<Identities, 'net56' | 'net48'> {
  if (!ip || !isIPv6(ip)) return { ip: ip ?? '' };
  const groups = expandIPv6(ip);
  if (holdsIPv4(groups))
    return { ip: [6, 7].flatMap((i) => [(groups[i] as number) >> 8, (groups[i] as number) & 255]).join('.') };
  const [a = 0, b = 0, c = 0, d = 0] = groups;
  const network = (...kept: number[]): string => kept.map((group) => group.toString(16)).join(':');
  return {
    ip: `${network(a, b, c, d)}::/64`,
    net56: `${network(a, b, c, d & 0xff00)}::/56`,
    net48: `${network(a, b, c)}::/48`,
  };
}

/** An IPv4-mapped address, or one that NAT64 made of an IPv4 address (64:ff9b::/96). */
const holdsIPv4 = ([a, b, ...rest]: number[]): boolean => {
  const [c, d, e, f] = rest;
  const between = [c, d, e].every((group) => group === 0);
  return between && ((a === 0 && b === 0 && f === 0xffff) || (a === 0x64 && b === 0xff9b && f === 0));
};

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
