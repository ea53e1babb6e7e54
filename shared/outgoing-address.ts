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

/** Addresses of IANA's special-purpose registries, and the platform address of Azure: no server of others has one. */
const special = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
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

/** Services of a cloud for its own machines: metadata, and with it credentials. Refused in development, too. */
const platform = new BlockList();
platform.addAddress('168.63.129.16', 'ipv4');
platform.addSubnet('169.254.0.0', 16, 'ipv4');
platform.addAddress('100.100.100.200', 'ipv4');
platform.addSubnet('192.0.0.0', 24, 'ipv4');
platform.addSubnet('fe80::', 10, 'ipv6');
platform.addSubnet('fd00:ec2::', 32, 'ipv6');
// The same addresses inside IPv6: mapped, NAT64, 6to4.
for (const net of ['::ffff:0:0', '64:ff9b::', '2002::']) {
  const at = (hex: string): string => (net === '2002::' ? `2002:${hex}::` : `${net.replace(/0:0$/, '')}${hex}`);
  const bits = net === '2002::' ? 16 : 96;
  platform.addSubnet(at('a83f:8110'), bits + 32, 'ipv6');
  platform.addSubnet(at('a9fe:0'), bits + 16, 'ipv6');
  platform.addSubnet(at('6464:64c8'), bits + 32, 'ipv6');
  platform.addSubnet(at('c000:0'), bits + 24, 'ipv6');
}

/** An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is not global unicast, so it is not public. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !special.check(address, 'ipv4');
  return family === 6 && globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6');
}

function isPlatformAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && platform.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Whether this backend may connect to the address. */
const isAllowed = (address: string): boolean =>
  allowsPrivateAddresses() ? !isPlatformAddress(address) : isPublicAddress(address);

/**
 * The one check of a URL that another party chose, when an operator sets it and at each use. undefined: this backend
 * sends nothing to this URL. The URL parser has already turned decimal, octal and hexadecimal addresses into the usual
 * form. Host names are checked again when they are resolved.
 */
export function outgoingUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && allowsPrivateAddresses())) return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) return isAllowed(host) ? url : undefined;
  return allowsPrivateAddresses() || !INTERNAL_NAME.test(host) ? url : undefined;
}

/** Names that only a private network or the machine itself resolves. */
const INTERNAL_NAME = /^[^.]*\.?$|\.(localhost|local|internal|home\.arpa)\.?$/i;

const checkedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? [];
    if (error || !first) return callback(error ?? new TransportError('unreachable', false), '', 0);
    // Public and private addresses for one name are a sign of an attack: all are refused.
    if (!addresses.every(({ address }) => isAllowed(address))) {
      return callback(new TransportError('address-refused', false), '', 0);
    }
    if (options.all) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

/** `send()` for public addresses only. Throws TransportError; reason `address-refused`: nothing was sent. */
export async function sendOutside(request: Omit<OutgoingRequest, 'lookup'>): Promise<IncomingAnswer> {
  if (!outgoingUrl(request.url.href)) throw new TransportError('address-refused', false);
  return send({ ...request, lookup: checkedLookup });
}
