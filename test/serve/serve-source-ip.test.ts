import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { sourceIpBehind } from '../../serve/source-ip.ts';

const request = (remoteAddress: string, forwarded?: string) =>
  ({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  }) as unknown as IncomingMessage;

test.each([
  {
    what: 'without proxies the address of the socket counts, and the header is ignored',
    proxies: [],
    from: '9.9.9.9',
    forwarded: '1.2.3.4',
    is: '9.9.9.9',
  },
  {
    what: 'a header from an address that is not a proxy is ignored',
    proxies: ['10.0.0.0/8'],
    from: '9.9.9.9',
    forwarded: '1.2.3.4',
    is: '9.9.9.9',
  },
  {
    what: 'a header from a proxy is used',
    proxies: ['10.0.0.0/8'],
    from: '10.1.2.3',
    forwarded: '1.2.3.4',
    is: '1.2.3.4',
  },
  {
    what: 'addresses that the client wrote into the header are ignored',
    proxies: ['10.0.0.1'],
    from: '10.0.0.1',
    forwarded: '6.6.6.6, 1.2.3.4',
    is: '1.2.3.4',
  },
  {
    what: 'a chain of proxies is followed back to the client',
    proxies: ['10.0.0.0/8'],
    from: '10.0.0.1',
    forwarded: '6.6.6.6, 1.2.3.4, 10.0.0.2',
    is: '1.2.3.4',
  },
  {
    what: 'a header with proxies only gives the first of them',
    proxies: ['10.0.0.0/8'],
    from: '10.0.0.1',
    forwarded: '10.0.0.3',
    is: '10.0.0.3',
  },
  {
    what: 'without a header the address of the proxy counts',
    proxies: ['10.0.0.1'],
    from: '10.0.0.1',
    forwarded: undefined,
    is: '10.0.0.1',
  },
  {
    what: 'the search ends at an entry that is not an address',
    proxies: ['10.0.0.1'],
    from: '10.0.0.1',
    forwarded: '1.2.3.4, unknown',
    is: '10.0.0.1',
  },
  {
    what: 'an IPv4 address inside IPv6 counts as IPv4',
    proxies: ['10.0.0.1'],
    from: '::ffff:10.0.0.1',
    forwarded: '::ffff:1.2.3.4',
    is: '1.2.3.4',
  },
  {
    what: 'a range of proxies may be IPv6',
    proxies: ['fd00::/8'],
    from: 'fd00::1',
    forwarded: '2001:db8::7',
    is: '2001:db8::7',
  },
])('$what', ({ proxies, from, forwarded, is }) => {
  expect(sourceIpBehind(proxies)(request(from, forwarded))).toBe(is);
});

test.each(['10.0.0.0/33', '10.0.0', 'proxy.example', '::1/129', '10.0.0.1/x'])(
  '%s is refused, because it is not an address or a range',
  (entry) => {
    expect(() => sourceIpBehind([entry])).toThrow(RangeError);
  },
);
