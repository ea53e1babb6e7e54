import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Returns the client's address. Behind trusted proxies it comes from X-Forwarded-For. */
export type SourceIp = (request: IncomingMessage) => string;

/**
 * `proxies`: addresses and CIDR ranges of trusted proxies. Each of them adds an address to the end of X-Forwarded-For.
 * The header is read from its end; the first address that is no trusted proxy is the client's. Entries that a client
 * wrote itself stand before it and are not used. Throws RangeError for an entry that is neither an address nor a range.
 */
export function sourceIpBehind(proxies: readonly string[]): SourceIp {
  const trusted = new BlockList();
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/');
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    const length = bits === undefined ? most : Number(bits);
    if (family === 0 || !/^\d{1,3}$/.test(bits ?? '0') || length > most) throw new RangeError(proxy);
    trusted.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  }
  const isTrusted = (address: string) => trusted.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  return (request) => {
    let address = plain(request.socket.remoteAddress ?? '');
    const forwarded = String(request.headers['x-forwarded-for'] ?? '').split(',');
    while (isTrusted(address)) {
      const before = plain((forwarded.pop() ?? '').trim());
      if (isIP(before) === 0) break;
      address = before;
    }
    return address;
  };
}

/** An IPv6 socket shows an IPv4 address as `::ffff:1.2.3.4`. Returns the IPv4 address. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');
