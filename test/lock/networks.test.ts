import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callRules } from '../../shared/lock/default-rules.ts';
import { passwordRules, ticketRules, wechatRules } from '../../shared/lock/guessing.ts';
import { addressIdentities } from '../../shared/lock/ip-identity.ts';
import { marksOfCaller, WECHAT_CALLERS } from '../../shared/lock/known-caller.ts';
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

describe('the rules against guessing passwords', () => {
  const guess = (targets: LockTarget[], ip: string, account: string) => call(targets, ip, { account });

  test('100 guesses from five /64 networks of one /48 do not lock the owner out at a new address', async () => {
    const targets = targetWith(passwordRules);
    const account = fresh();
    const refused: string[] = [];
    for (let i = 0; i < 100; i++) {
      const { verdict, by } = await guess(targets, `2001:db8:9:${(i % 5) * 256}::${i}`, account);
      if (verdict === 'LOCKED') refused.push(by);
    }
    expect(refused).toHaveLength(60);
    expect(new Set(refused)).toEqual(new Set(['failures-by-account-ip-48']));
    expect(await guess(targets, '2001:db8:77::1', account)).toMatchObject({ verdict: 'admitted' });
    expect(await guess(targets, '192.0.2.77', account)).toMatchObject({ verdict: 'admitted' });
  });

  test('guesses for many accounts are counted for the /64, the /56 and the /48', async () => {
    const limitOf = async (address: (i: number) => string): Promise<[number, string]> => {
      const targets = targetWith(passwordRules.filter(({ count }) => count === 'failure'));
      for (let i = 0; ; i++) {
        const { verdict, by } = await guess(targets, address(i), fresh());
        if (verdict === 'LOCKED') return [i, by];
      }
    };
    expect(await limitOf((i) => `2001:db8:1:1::${i.toString(16)}`)).toEqual([150, 'failures-by-ip']);
    expect(await limitOf((i) => `2001:db8:1:1${(i % 256).toString(16).padStart(2, '0')}::1`)).toEqual([
      300,
      'failures-by-ip-56',
    ]);
    expect(await limitOf((i) => `2001:db8:1:${i.toString(16)}::1`)).toEqual([600, 'failures-by-ip-48']);
  });

  test('400 invented codes of wx.login from 20 /64 networks of one /48 stop after 200', async () => {
    const targets = targetWith(wechatRules.filter(({ count }) => count === 'failure'));
    let admitted = 0;
    for (let i = 0; i < 400; i++) {
      const { verdict } = await call(targets, `2001:db8:5:${(i % 20).toString(16)}00::${i}`, {
        account: WECHAT_CALLERS,
      });
      if (verdict === 'admitted') admitted++;
    }
    expect(admitted).toBe(200);
  });

  test('invented codes from many addresses stop at the budget of the app, and a known device still logs in', async () => {
    const targets = targetWith(wechatRules);
    const app = fresh();
    for (let i = 0; i < 300; i++) {
      const found = await call(targets, `10.${i >> 8}.${i & 255}.1`, {
        app,
        account: WECHAT_CALLERS,
        resource: fresh(),
      });
      expect(found.verdict).toBe('admitted');
    }
    const stranger = { app, account: WECHAT_CALLERS, resource: fresh() };
    expect(await call(targets, '10.9.9.9', stranger)).toMatchObject({ verdict: 'LOCKED', by: 'failures-by-app' });
    const issued = 'a-device-mark';
    for (const { key } of marksOfCaller(WECHAT_CALLERS, { ip: undefined, device: undefined, issued })) {
      await world.redis.set(key, '1', 'PX', 60_000);
    }
    expect(await call(targets, '10.9.9.9', { ...stranger, device: issued })).toMatchObject({ verdict: 'admitted' });
    expect(await call(targets, '10.9.9.9', { ...stranger, app: fresh() })).toMatchObject({ verdict: 'admitted' });
  });
});

test('wrong tickets from many addresses stop at the budget of the channel, and other channels are not affected', async () => {
  const targets = targetWith(ticketRules);
  const [app, peer] = [fresh(), fresh()];
  const show = (i: number, to = peer) =>
    call(targets, `10.${i >> 8}.${i & 255}.2`, { app, peer: to, account: fresh() });
  for (let i = 0; i < 300; i++) expect((await show(i)).verdict).toBe('admitted');
  expect(await show(301)).toMatchObject({ verdict: 'LOCKED', by: 'failures-by-channel' });
  expect(await show(302, fresh())).toMatchObject({ verdict: 'admitted' });
});

describe('the networks of an address', () => {
  test.each([
    [
      '2001:db8:1:23ff:3:4:5:6',
      { ip: '2001:db8:1:23ff::/64', net56: '2001:db8:1:2300::/56', net48: '2001:db8:1::/48' },
    ],
    ['2001:DB8:1::9', { ip: '2001:db8:1:0::/64', net56: '2001:db8:1:0::/56', net48: '2001:db8:1::/48' }],
    ['::ffff:192.0.2.7', { ip: '192.0.2.7' }],
    ['64:ff9b::192.0.2.7', { ip: '192.0.2.7' }],
    ['64:ff9b::c000:207', { ip: '192.0.2.7' }],
    ['192.0.2.7', { ip: '192.0.2.7' }],
    ['', { ip: '' }],
  ])('of %s are %o', (ip, identities) => {
    expect(addressIdentities(ip)).toEqual(identities);
  });
});
