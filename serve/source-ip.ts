import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Whose request it is, when some hops before us are proxies whose word counts. */
export type SourceIp = (request: IncomingMessage) => string;

/**
 * `proxies`: addresses and CIDR ranges. Only they may add to X-Forwarded-For; it is read from its end, and the first
 * address that is no trusted proxy is the client's. What a client writes in there itself is never reached. Throws
 * RangeError for what is neither an address nor a range.
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

/** An IPv4 address as such, also where the socket is of IPv6. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');
