import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callRules } from '../../shared/lock/default-rules.ts';
import { addressIdentities } from '../../shared/lock/ip-identity.ts';
import type { LockTarget } from '../../shared/lock/rule.ts';
import { requestOf, verdictOf } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await startAdmissionWorld();
});
afterAll(() => world.stop());

const fresh = (): string => randomBytes(6).toString('hex');
const targetWith = (rules: LockTarget['rules']): LockTarget[] => [{ name: `POST /${fresh()}`, rules }];
const call = (targets: LockTarget[], ip: string, identities: Record<string, string> = {}) =>
  verdictOf({ ...requestOf([], { identities: { ...addressIdentities(ip), ...identities } }), targets });

describe('the rules of every route', () => {
  test('give a /48 four times the calls of an address, however many /64 networks it uses', async () => {
    const targets = targetWith(callRules({ address: 10 }));
    for (let i = 0; i < 40; i++) {
      expect(await call(targets, `2001:db8:7:${i.toString(16)}::1`)).toMatchObject({ verdict: 'admitted' });
    }
    expect(await call(targets, '2001:db8:7:ffff::1')).toMatchObject({ verdict: 'LOCKED', by: 'calls-by-network' });
    expect(await call(targets, '2001:db8:8::1')).toMatchObject({ verdict: 'admitted' });
    // A logged-in user is counted as a user instead.
    expect(await call(targets, '2001:db8:7:ffff::1', { user: fresh() })).toMatchObject({ verdict: 'admitted' });
  });

  test('count an IPv4 address by itself, also when it is written as IPv6', async () => {
    const targets = targetWith(callRules({ address: 2 }));
    await call(targets, '192.0.2.7');
    await call(targets, '::ffff:192.0.2.7');
    expect(await call(targets, '::FFFF:c000:0207')).toMatchObject({ verdict: 'LOCKED', by: 'calls-by-address' });
    for (let i = 0; i < 12; i++) expect(await call(targets, `192.0.3.${i}`)).toMatchObject({ verdict: 'admitted' });
  });
});

describe('the networks of an address', () => {
  test.each([
    [
      '2001:db8:1:23ff:3:4:5:6',
      { ip: '2001:db8:1:23ff::/64', net56: '2001:db8:1:2300::/56', net48: '2001:db8:1::/48' },
    ],
    ['2001:DB8:1::9', { ip: '2001:db8:1:0::/64', net56: '2001:db8:1:0::/56', net48: '2001:db8:1::/48' }],
    ['::ffff:192.0.2.7', { ip: '192.0.2.7' }],
    ['192.0.2.7', { ip: '192.0.2.7' }],
    ['', { ip: '' }],
  ])('of %s are %o', (ip, identities) => {
    expect(addressIdentities(ip)).toEqual(identities);
  });
});
