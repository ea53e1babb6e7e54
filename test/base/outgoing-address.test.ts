import { describe, expect, test } from 'vitest';
import { isPublicAddress, outgoingUrl } from '../../shared/outgoing-address.ts';

describe('an address that a plugin or a channel gave', () => {
  test.each([
    '1.1.1.1',
    '93.184.215.14',
    '172.15.0.1',
    '172.32.0.1',
    '100.63.255.255',
    '2606:4700::1111',
    '2400:3200::1',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.7',
    '203.0.113.9',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fc00::1',
    'fd12::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '100::1',
    'localhost',
    '',
    '1.1.1',
    '127.1',
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each([
    ['https://plugin.example/push', true],
    ['https://plugin.example:8443/push?x=1', true],
    ['https://[2606:4700::1111]/', true],
    ['https://0x7f.1/', false],
    ['https://017700000001/', false],
    ['https://[::ffff:10.0.0.1]/', false],
    ['http://plugin.example/', false],
    ['https://plugin.example/#fragment', false],
    ['https://name@plugin.example/', false],
    ['javascript:alert(1)', false],
    ['//plugin.example', false],
  ])('requests to %s are sent: %s', (url, sent) => {
    expect(outgoingUrl(url) !== undefined).toBe(sent);
  });
});
