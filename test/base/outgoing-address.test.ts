import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
    '168.63.129.16',
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
    ['https://169.254.169.254/', false],
    ['https://2852039166/', false],
    ['https://0xa9fea9fe/', false],
    ['https://0251.0376.0251.0376/', false],
    ['https://169.254.43518/', false],
    ['https://169.254.169.254./', false],
    ['https://[::ffff:169.254.169.254]/', false],
    ['https://[64:ff9b::a9fe:a9fe]/', false],
    ['https://[2002:a9fe:a9fe::1]/', false],
    ['https://[fd00:ec2::254]/', false],
    ['https://168.63.129.16/', false],
    ['https://0xa83f8110/', false],
    ['https://metadata/', false],
    ['https://metadata.google.internal/', false],
    ['https://localhost/', false],
    ['https://app.localhost./', false],
    ['https://printer.local/', false],
    ['https://internal.example/', true],
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

describe('in development, where private addresses are allowed', () => {
  beforeAll(() => {
    process.env.PLUGIN_PRIVATE_ADDRESSES = 'allow';
  });
  afterAll(() => {
    delete process.env.PLUGIN_PRIVATE_ADDRESSES;
  });

  test.each([
    ['http://127.0.0.1:7000/push', true],
    ['http://localhost:7000/push', true],
    ['https://10.0.0.7/', true],
    ['http://[::1]:7000/', true],
    ['https://169.254.169.254/', false],
    ['http://2852039166/latest', false],
    ['https://0xa9.0xfe.0xa9.0xfe/', false],
    ['http://[::ffff:a9fe:a9fe]/', false],
    ['https://[64:ff9b::169.254.169.254]/', false],
    ['https://[2002:a9fe:a9fe:1::]/', false],
    ['https://[2002:a83f:8110::1]/', false],
    ['https://168.63.129.16/', false],
    ['https://[::ffff:168.63.129.16]/', false],
    ['http://100.100.100.200/', false],
    ['http://192.0.0.192/', false],
    ['http://[fe80::1]/', false],
    ['http://[fd00:ec2::254]/', false],
    ['ftp://127.0.0.1/', false],
  ])('requests to %s are sent: %s', (url, sent) => {
    expect(outgoingUrl(url) !== undefined).toBe(sent);
  });
});
