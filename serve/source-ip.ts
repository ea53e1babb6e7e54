import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { addressesOf, type ForwardedHeader } from './forwarded.ts';
import { plainAddress } from './http-api/addresses.ts';

/** Returns the client's address. Behind trusted proxies it comes from X-Forwarded-For or Forwarded. */
type SourceIp = (request: IncomingMessage) => string;

interface Options {
  /** The only header to read. Default: X-Forwarded-For, or Forwarded when that is missing. */
  header?: ForwardedHeader;
  /** Called with the address of a caller that is no trusted proxy but sends one of the headers, once for each. */
  onUntold?: (address: string) => void;
}

/** Anybody may send the header: no more lines than these. */
const MOST_REPORTED = 5;

/**
 * `proxies`: addresses and CIDR ranges of trusted proxies. Each of them adds an address to the end of the header. It is
 * read from its end; the first address that is no trusted proxy is the client's. Entries that a client wrote itself
 * stand before it and are not used. Throws RangeError for an entry that is neither an address nor a range.
 */
export function sourceIpBehind(proxies: readonly string[], { header, onUntold }: Options = {}): SourceIp {
  const isTrusted = trustedProxies(proxies);
  const reported = new Set<string>();
  return (request) => {
    let address = plainAddress(request.socket.remoteAddress ?? '');
    const { forwarded, 'x-forwarded-for': xForwardedFor } = request.headers;
    if (xForwardedFor === undefined && forwarded === undefined) return address;
    if (!isTrusted(address)) {
      if (reported.size < MOST_REPORTED && !reported.has(address)) onUntold?.(address);
      if (reported.size < MOST_REPORTED) reported.add(address);
      return address;
    }
    const chain = addressesOf({ 'x-forwarded-for': xForwardedFor, forwarded }, header);
    while (isTrusted(address)) {
      const before = chain.pop();
      if (before === undefined) break;
      address = before;
    }
    return address;
  };
}

/** Throws RangeError. */
export function trustedProxies(proxies: readonly string[]): (address: string) => boolean {
  const trusted = new BlockList();
  for (const proxy of proxies) {
    const [written = '', bits] = proxy.split('/');
    const address = plainAddress(written);
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
    const mapped = family === 4 && isIP(written) === 6 ? 96 : 0;
    const length = bits === undefined ? most : Number(bits) - mapped;
    if (family === 0 || !/^\d{1,3}$/.test(bits ?? '0') || length < 0 || length > most) throw new RangeError(proxy);
    trusted.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => isIP(address) !== 0 && trusted.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}
