import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { textOr } from './config.ts';
import { type IncomingAnswer, type OutgoingRequest, send, TransportError } from './transport.ts';

/**
 * Requests to URLs that another party chose. They go over https to public addresses only, so that no URL can lead this
 * backend into its own network or to the cloud's metadata service. The check is on the address of the connection, not
 * on the name: a name that resolves to another address the second time is refused too. Redirects are never followed.
 */

/** `allow` is for development on one machine: it permits loopback, private addresses and plain http. */
const privateAddresses = textOr('PLUGIN_PRIVATE_ADDRESSES', 'refuse');
const allowsPrivateAddresses = (): boolean => privateAddresses() === 'allow';

/** Addresses of IANA's special-purpose registries: no public server has one of them. */
const special = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  special.addSubnet(net, prefix, 'ipv4');
}
// 6to4 and Teredo carry an IPv4 address inside and may lead to a private one.
for (const [net, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  special.addSubnet(net, prefix, 'ipv6');
}
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/** An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is not global unicast, so it is not public. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !special.check(address, 'ipv4');
  return family === 6 && globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6');
}

/** undefined: this backend sends nothing to this URL. Host names are checked later, when they are resolved. */
export function outgoingUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  if (allowsPrivateAddresses()) return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return url.protocol === 'https:' && (isIP(host) === 0 || isPublicAddress(host)) ? url : undefined;
}

const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? [];
    if (error || !first) return callback(error ?? new TransportError('unreachable', false), '', 0);
    // Public and private addresses for one name are a sign of an attack: all are refused.
    if (!addresses.every(({ address }) => isPublicAddress(address))) {
      return callback(new TransportError('address-refused', false), '', 0);
    }
    if (options.all) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

/** `send()` for public addresses only. Throws TransportError; reason `address-refused`: nothing was sent. */
export async function sendOutside(request: Omit<OutgoingRequest, 'lookup'>): Promise<IncomingAnswer> {
  if (!outgoingUrl(request.url.href)) throw new TransportError('address-refused', false);
  return send(allowsPrivateAddresses() ? request : { ...request, lookup: publicLookup });
}
