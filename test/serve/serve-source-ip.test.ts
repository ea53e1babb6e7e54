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
    what: 'without proxies the socket’s address counts, whatever a header says',
    proxies: [],
    from: '9.9.9.9',
    forwarded: '1.2.3.4',
    is: '9.9.9.9',
  },
  {
    what: 'a stranger’s header is not believed',
    proxies: ['10.0.0.0/8'],
    from: '9.9.9.9',
    forwarded: '1.2.3.4',
    is: '9.9.9.9',
  },
  { what: 'a proxy’s header is', proxies: ['10.0.0.0/8'], from: '10.1.2.3', forwarded: '1.2.3.4', is: '1.2.3.4' },
  {
    what: 'what the client wrote before it is not',
    proxies: ['10.0.0.1'],
    from: '10.0.0.1',
    forwarded: '6.6.6.6, 1.2.3.4',
    is: '1.2.3.4',
  },
  {
    what: 'a chain of proxies is followed',
    proxies: ['10.0.0.0/8'],
    from: '10.0.0.1',
    forwarded: '6.6.6.6, 1.2.3.4, 10.0.0.2',
    is: '1.2.3.4',
  },
  {
    what: 'a header of proxies alone ends at the first of them',
    proxies: ['10.0.0.0/8'],
    from: '10.0.0.1',
    forwarded: '10.0.0.3',
    is: '10.0.0.3',
  },
  {
    what: 'no header is the proxy itself',
    proxies: ['10.0.0.1'],
    from: '10.0.0.1',
    forwarded: undefined,
    is: '10.0.0.1',
  },
  {
    what: 'what is no address ends the walk',
    proxies: ['10.0.0.1'],
    from: '10.0.0.1',
    forwarded: '1.2.3.4, unknown',
    is: '10.0.0.1',
  },
  {
    what: 'IPv4 inside IPv6 is IPv4',
    proxies: ['10.0.0.1'],
    from: '::ffff:10.0.0.1',
    forwarded: '::ffff:1.2.3.4',
    is: '1.2.3.4',
  },
  { what: 'IPv6 ranges work', proxies: ['fd00::/8'], from: 'fd00::1', forwarded: '2001:db8::7', is: '2001:db8::7' },
])('$what', ({ proxies, from, forwarded, is }) => {
  expect(sourceIpBehind(proxies)(request(from, forwarded))).toBe(is);
});

test.each(['10.0.0.0/33', '10.0.0', 'proxy.example', '::1/129', '10.0.0.1/x'])(
  '%s is no address and no range',
  (entry) => {
    expect(() => sourceIpBehind([entry])).toThrow(RangeError);
  },
);
