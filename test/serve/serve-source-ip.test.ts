import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { sourceIpBehind, trustedProxies } from '../../serve/source-ip.ts';

const withHeaders = (remoteAddress: string, headers: Record<string, string>) =>
  ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage;
const request = (remoteAddress: string, forwarded?: string) =>
  withHeaders(remoteAddress, forwarded === undefined ? {} : { 'x-forwarded-for': forwarded });

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

const proxies = ['10.0.0.0/8'];

test.each([
  ['1.2.3.4:5678', '1.2.3.4'],
  ['6.6.6.6, 1.2.3.4:5678', '1.2.3.4'],
  ['1.2.3.4:5678, 10.0.0.2:80', '1.2.3.4'],
  ['"1.2.3.4"', '1.2.3.4'],
  ['  1.2.3.4  ', '1.2.3.4'],
  ['6.6.6.6,1.2.3.4', '1.2.3.4'],
  ['1.2.3.4,', '1.2.3.4'],
  ['1.2.3.4, , ', '1.2.3.4'],
  ['[2001:db8::7]', '2001:db8::7'],
  ['[2001:db8::7]:443', '2001:db8::7'],
  ['"[2001:db8::7]:443"', '2001:db8::7'],
  ['2001:db8::7', '2001:db8::7'],
  ['2001:DB8:0:0::7', '2001:db8::7'],
  ['2001:db8:0:0:0:0:0:7:443', '2001:db8::7'],
  ['fe80::7%eth0', 'fe80::7'],
  ['::ffff:1.2.3.4', '1.2.3.4'],
  ['::FFFF:102:304', '1.2.3.4'],
  ['[::ffff:1.2.3.4]:5678', '1.2.3.4'],
  ['1.2.3.4, [::ffff:10.0.0.2]:80', '1.2.3.4'],
  ['unknown', '10.0.0.1'],
  ['unknown, 1.2.3.4', '1.2.3.4'],
  ['1.2.3.4, unknown, 10.0.0.2', '10.0.0.2'],
  ['1.2.3.4, _hidden', '10.0.0.1'],
  ['1.2.3.4.5', '10.0.0.1'],
  ['1.2.3.4:', '1.2.3.4'],
  ['', '10.0.0.1'],
])('X-Forwarded-For: %s is %s', (header, address) => {
  expect(sourceIpBehind(proxies)(request('10.0.0.1', header))).toBe(address);
});

test.each([
  ['for=1.2.3.4', '1.2.3.4'],
  ['For="1.2.3.4:5678"', '1.2.3.4'],
  ['for=1.2.3.4:5678', '1.2.3.4'],
  ['for="[2001:db8::7]:443"', '2001:db8::7'],
  ['for="[2001:db8::7]"; proto=https; by=10.0.0.2', '2001:db8::7'],
  ['proto=https;for=1.2.3.4', '1.2.3.4'],
  ['for=6.6.6.6, for=1.2.3.4;host="a, b; for=6.6.6.6"', '1.2.3.4'],
  ['for=1.2.3.4, for=10.0.0.2', '1.2.3.4'],
  ['for = "1.2.3.4"', '1.2.3.4'],
  ['for="\\1.2.3.4"', '1.2.3.4'],
  ['for=1.2.3.4, for=unknown', '10.0.0.1'],
  ['for=1.2.3.4, for="_a.b"', '10.0.0.1'],
  ['for=1.2.3.4, proto=https', '10.0.0.1'],
  ['for="1.2.3.4', '10.0.0.1'],
])('Forwarded: %s is %s', (header, address) => {
  expect(sourceIpBehind(proxies)(withHeaders('10.0.0.1', { forwarded: header }))).toBe(address);
});

test('of both headers X-Forwarded-For is read, or the one that is set', () => {
  const both = withHeaders('10.0.0.1', { 'x-forwarded-for': '1.1.1.1', forwarded: 'for=2.2.2.2' });
  expect(sourceIpBehind(proxies)(both)).toBe('1.1.1.1');
  expect(sourceIpBehind(proxies, { header: 'forwarded' })(both)).toBe('2.2.2.2');
  const one = withHeaders('10.0.0.1', { forwarded: 'for=2.2.2.2' });
  expect(sourceIpBehind(proxies, { header: 'x-forwarded-for' })(one)).toBe('10.0.0.1');
});

test('each proxy that is not trusted is reported at its first header, and at most five of them', () => {
  const untold: string[] = [];
  const sourceIp = sourceIpBehind(proxies, { onUntold: (address) => untold.push(address) });
  expect(sourceIp(request('10.0.0.1', '1.2.3.4'))).toBe('1.2.3.4');
  expect(sourceIp(request('192.168.0.9'))).toBe('192.168.0.9');
  expect(untold).toEqual([]);
  expect(sourceIp(withHeaders('::ffff:192.168.0.9', { forwarded: 'for=1.2.3.4' }))).toBe('192.168.0.9');
  expect(sourceIp(request('192.168.0.9', '1.2.3.4'))).toBe('192.168.0.9');
  expect(untold).toEqual(['192.168.0.9']);
  for (let host = 1; host < 9; host++) sourceIp(request(`192.168.0.${host}`, '1.2.3.4'));
  expect(untold).toEqual(['9', '1', '2', '3', '4'].map((host) => `192.168.0.${host}`));
});

test.each([
  ['[1.2.3.4]:80', '1.2.3.4'],
  ['[2001:db8::7%eth0]:443', '2001:db8::7'],
  ['2001:db8:0:0:0:0:1.2.3.4', '2001:db8::102:304'],
  ['1.2.3.4\t', '1.2.3.4'],
  ['1.2.3.4,10.0.0.1,10.0.0.2', '1.2.3.4'],
  ['001.002.003.004', '10.0.0.1'],
  ['16909060', '10.0.0.1'],
  ['1.2.3.4 5.6.7.8', '10.0.0.1'],
  ['1.2.3.4/32', '10.0.0.1'],
  ['<nil>', '10.0.0.1'],
  ['1.2.3.4, -', '10.0.0.1'],
])('X-Forwarded-For: %s is %s, so a spelling that may be read in two ways is nobody', (header, address) => {
  expect(sourceIpBehind(proxies)(request('10.0.0.1', header))).toBe(address);
});

test('a header full of quotes is read in a moment', () => {
  const startedAt = performance.now();
  for (const text of ['"', '"\\', '\\"', ',']) {
    expect(sourceIpBehind(proxies)(withHeaders('10.0.0.1', { forwarded: text.repeat(30_000) }))).toBe('10.0.0.1');
  }
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test('proxies may be written as IPv4 inside IPv6', () => {
  const isProxy = trustedProxies(['::ffff:10.0.0.0/104', '::ffff:192.168.0.1']);
  expect(['10.9.9.9', '11.0.0.1', '192.168.0.1', '192.168.0.2'].map(isProxy)).toEqual([true, false, true, false]);
});
