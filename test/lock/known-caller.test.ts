import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Admitted, admit } from '../../shared/admission/admission.ts';
import { marksOfCaller, WECHAT_CALLERS } from '../../shared/lock/known-caller.ts';
import { requestOf, rule } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';

const DAY = 86_400;
let world: AdmissionWorld;
let requests = 0;
beforeAll(async () => {
  world = await startAdmissionWorld(() => {
    requests++;
    return undefined;
  });
});
beforeEach(async () => void (await world.redis.flushall()));
afterAll(() => world.stop());

const failures = rule({ name: 'failures', count: 'failure', limit: 1_000 });
/** A login that succeeds, of a caller that sends `device` or no mark. */
async function logIn(account: string, issued: string, { ip = '192.0.2.1', device = '' } = {}): Promise<void> {
  const admitted = (await admit(requestOf([failures]))) as Admitted;
  await admitted.giveBack(...marksOfCaller(account, { ip, device: device || undefined, issued }));
}
const keysOf = (family: string) => world.redis.keys(`*:lock:${family}:*`);
const sizes = async () => [(await keysOf('device')).length, (await keysOf('known')).length];

describe('the devices and addresses that an account knows', () => {
  test('grow by at most 50 a day each, in the requests of a login', async () => {
    await logIn('anna', 'mark-0');
    requests = 0;
    for (let i = 1; i < 70; i++) await logIn('anna', `mark-${i}`, { ip: `192.0.2.${i}` });
    expect(requests).toBe(2 * 69);
    expect(await sizes()).toEqual([50, 50]);
    await logIn('ben', 'mark-of-ben');
    expect(await sizes()).toEqual([51, 51]);
  });

  test('grow no faster when the device sends a mark that was not kept', async () => {
    for (let i = 0; i < 60; i++) await logIn('anna', `mark-${i}`, { device: `mark-${i}` });
    expect(await sizes()).toEqual([50, 0]);
  });

  test('may log in any number of times, and each login keeps their marks for the whole time', async () => {
    for (let i = 0; i < 60; i++) await logIn('anna', 'mark-0');
    const [mark = ''] = await keysOf('device');
    await world.redis.expire(mark, 100);
    for (let i = 1; i < 60; i++) await logIn('anna', `mark-${i}`);
    expect(await sizes()).toEqual([50, 1]);
    await logIn('anna', 'mark-0', { device: 'mark-0' });
    expect(await world.redis.ttl(mark)).toBeGreaterThan(59 * DAY);
  });

  test('are counted again a day after the first new one', async () => {
    for (let i = 0; i < 60; i++) await logIn('anna', `mark-${i}`);
    const counters = await keysOf('new-marks');
    expect(await Promise.all(counters.map((key) => world.redis.get(key)))).toEqual(expect.arrayContaining(['1', '50']));
    for (const key of counters) {
      const left = await world.redis.ttl(key);
      expect(left > DAY - 600 && left <= DAY).toBe(true);
    }
    await world.redis.del(counters);
    await logIn('anna', 'of the next day');
    expect((await sizes())[0]).toBe(51);
  });

  test('of WeChat logins, which all count as one account, are not limited', async () => {
    for (let i = 0; i < 60; i++) await logIn(WECHAT_CALLERS, `mark-${i}`);
    expect((await sizes())[0]).toBe(60);
    expect(await keysOf('new-marks')).toEqual([]);
  });
});
