import { isIP, isIPv6, SocketAddress } from 'node:net';

/**
 * The groups in which an address is counted, and by how much more than one address each of them may use. One person can
 * have a whole IPv6 network: /64 is the smallest that providers give out, /48 the largest that is common. `address` is
 * plain.
 */
export function groupsOf(address: string): { group: string; factor: number }[] {
  if (!isIPv6(address)) return [{ group: address, factor: 1 }];
  const words = wordsOf(address);
  return [
    { group: `${words.slice(0, 4).join(':')}/64`, factor: 1 },
    { group: `${words.slice(0, 3).join(':')}/48`, factor: 2 },
  ];
}

/** The eight groups of hex digits of a plain address. */
function wordsOf(address: string): string[] {
  const [start = '', end] = address.split('::');
  const words = (text: string) => (text === '' ? [] : text.split(':'));
  if (end === undefined) return words(start);
  const missing = 8 - words(start).length - words(end).length;
  return [...words(start), ...Array.from({ length: Math.max(0, missing) }, () => '0'), ...words(end)];
}

/** One spelling for each address: IPv4 inside IPv6 as IPv4, IPv6 in lower case and short, without a zone. */
export function plainAddress(address: string): string {
  const [text = ''] = address.split('%');
  if (isIP(text) !== 6) return text;
  const short = new SocketAddress({ address: text, family: 'ipv6' }).address;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(short)?.[1] ?? short;
}
