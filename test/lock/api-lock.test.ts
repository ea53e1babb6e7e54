import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Admitted, admit } from '../../shared/admission/admission.ts';
import { ipIdentity } from '../../shared/lock/ip-identity.ts';
import { encodePolicy, policyKey } from '../../shared/lock/policy.ts';
import { checkRules, type LockRule } from '../../shared/lock/rule.ts';
import { readKey, requestOf, rule, verdictOf } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';
import { inProcesses } from '../support/processes.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await startAdmissionWorld();
});
beforeEach(async () => void (await world.redis.flushall()));
afterAll(() => world.stop());

const verdicts = async (count: number, rules: readonly LockRule[], more = {}): Promise<string[]> => {
  const all: string[] = [];
  for (let i = 0; i < count; i++) all.push((await verdictOf(requestOf(rules, more))).verdict);
  return all;
};
const counters = async (): Promise<Record<string, string | null>> => {
  const keys = (await world.redis.keys('*:lock:count:*')).sort();
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await world.redis.get(key)] as const)));
};

describe('an API lock', () => {
  test('lets exactly its limit pass of 500 calls at once over 8 processes', async () => {
    const all = (await inProcesses<string[]>('test/support/lock-process.ts', 8, world.env)).flat();
    expect(all).toHaveLength(500);
    expect(all.filter((verdict) => verdict === 'admitted')).toHaveLength(37);
    expect(all.filter((verdict) => verdict === 'LOCKED')).toHaveLength(463);
  }, 60_000);

  test('by count: N calls pass, and further calls are refused until the window ends', async () => {
    const rules = [rule({ limit: 3, windowSeconds: 60 })];
    expect(await verdicts(5, rules)).toEqual(['admitted', 'admitted', 'admitted', 'LOCKED', 'LOCKED']);
    await world.pass(58);
    expect(await verdicts(1, rules)).toEqual(['LOCKED']);
    await world.pass(2);
    expect(await verdicts(1, rules)).toEqual(['admitted']);
  });

  test('by time: one call passes, and further calls are refused until the time is over', async () => {
    const rules = [rule({ limit: 1, windowSeconds: 30 })];
    expect(await verdicts(2, rules)).toEqual(['admitted', 'LOCKED']);
    await world.pass(30);
    expect(await verdicts(1, rules)).toEqual(['admitted']);
  });

  test('by both: above the limit it locks for its own time, and further calls do not extend it', async () => {
    const rules = [rule({ limit: 2, windowSeconds: 10, lockSeconds: 300 })];
    expect(await verdicts(3, rules)).toEqual(['admitted', 'admitted', 'LOCKED']);
    await world.pass(200);
    expect((await verdictOf(requestOf(rules))).retryAfter).toBe(100);
    await world.pass(100);
    expect(await verdicts(1, rules)).toEqual(['admitted']);
  });

  test('with the option extend starts again with each refused call', async () => {
    const rules = [rule({ limit: 1, windowSeconds: 10, lockSeconds: 300, extend: true })];
    await verdicts(2, rules);
    await world.pass(200);
    expect((await verdictOf(requestOf(rules))).retryAfter).toBe(300);
  });

  test('that escalates locks longer each time, and a refused call never shortens it', async () => {
    const escalate = { factor: 4, maxSeconds: 1_000, memorySeconds: 5_000 };
    const rules = [rule({ limit: 1, windowSeconds: 10, lockSeconds: 100, extend: true, escalate })];
    const waits: number[] = [];
    for (let lock = 0; lock < 3; lock++) {
      await verdicts(1, rules);
      waits.push((await verdictOf(requestOf(rules))).retryAfter);
      expect((await verdictOf(requestOf(rules))).retryAfter).toBe(waits.at(-1));
      await world.pass(1_000);
    }
    expect(waits).toEqual([100, 400, 1_000]);
  });

  test('that the operator cleared starts with its first length again', async () => {
    const target = 'data:cleared';
    const escalate = { factor: 4, maxSeconds: 1_000, memorySeconds: 5_000 };
    const rules = [rule({ limit: 1, windowSeconds: 10, lockSeconds: 100, extend: true, escalate })];
    const wait = async () => {
      await verdicts(1, rules, { target });
      return (await verdictOf(requestOf(rules, { target }))).retryAfter;
    };
    expect(await wait()).toBe(100);
    await world.pass(1_000);
    expect(await wait()).toBe(400);
    const cleared = encodePolicy({ version: 1, generation: 1, rules: [], blocks: [] });
    await world.redis.set(policyKey(target), cleared, 'EX', 600);
    expect(await wait()).toBe(100);
  });

  test('that refuses a call charges no other rule and takes no lease', async () => {
    const tight = rule({ name: 'tight', limit: 1 });
    const wide = rule({ name: 'wide', limit: 100, by: ['ip'] });
    await verdicts(1, [tight, wide]);
    const before = await counters();
    expect(await verdicts(3, [wide, tight], { reads: [{ key: readKey('x') }] })).toEqual(Array(3).fill('LOCKED'));
    expect(await counters()).toEqual(before);
    expect(await world.redis.keys('*:admitted:*')).toEqual([]);
  });

  test('reports the rule with the longest wait, with the headers of the IETF draft', async () => {
    const rules = [
      rule({ name: 'short', limit: 1, windowSeconds: 20 }),
      rule({ name: 'long', limit: 1, windowSeconds: 90 }),
    ];
    await verdicts(1, rules);
    const { error } = await verdictOf(requestOf(rules));
    expect(error?.refusal).toEqual({
      retryAfterSeconds: 90,
      headers: { ratelimit: '"long";r=0;t=90', 'ratelimit-policy': '"long";q=1;w=90' },
    });
  });

  test('in shadow mode counts calls and refuses none', async () => {
    expect(await verdicts(4, [rule({ limit: 2, shadow: true })])).toEqual(Array(4).fill('admitted'));
    expect(Object.values(await counters())).toEqual(['0;2']);
  });

  test('on misses charges each record that is loaded, and nothing for a request above its limit', async () => {
    const rules = [rule({ count: 'miss', limit: 3 })];
    const reads = (...ids: string[]) => ids.map((id) => ({ key: readKey(id) }));
    expect(await verdicts(1, rules, { reads: reads('a', 'b', 'c', 'd') })).toEqual(['LOCKED']);
    expect(await counters()).toEqual({});
    expect(await verdicts(1, rules, { reads: reads('a', 'b') })).toEqual(['admitted']);
    await world.redis.set(readKey('hit'), 'N1;9999999999999;1;0;;', 'PX', 60_000);
    expect(await verdicts(9, rules, { reads: reads('hit') })).toEqual(Array(9).fill('admitted'));
    expect(await verdicts(1, rules, { reads: reads('e', 'f') })).toEqual(['LOCKED']);
    expect(Object.values(await counters())).toEqual(['0;2']);
  });

  test('counts callers without an identity together, and apart from all other callers', async () => {
    const rules = [rule({ by: ['user'], limit: 1 })];
    expect(await verdicts(2, rules)).toEqual(['admitted', 'LOCKED']);
    expect(await verdicts(2, rules, { identities: { user: 'ann' } })).toEqual(['admitted', 'LOCKED']);
    expect(await verdicts(1, rules, { identities: { user: '-' } })).toEqual(['admitted']);
    expect(await verdicts(1, rules, { identities: { user: '' } })).toEqual(['LOCKED']);
  });

  test('counts each combination of identities separately', async () => {
    const rules = [rule({ by: ['user', 'ip'], limit: 1 })];
    const from = (user: string, ip: string) => verdicts(1, rules, { identities: { user, ip } });
    expect([await from('a', '1'), await from('a', '2'), await from('b', '1'), await from('a', '1')].flat()).toEqual([
      'admitted',
      'admitted',
      'admitted',
      'LOCKED',
    ]);
  });

  test('sets the expiry of a counter again when it was lost', async () => {
    const rules = [rule({ limit: 1 })];
    await verdicts(1, rules);
    const [key = ''] = await world.redis.keys('*:lock:count:*');
    await world.redis.persist(key);
    expect(await verdicts(1, rules)).toEqual(['LOCKED']);
    expect(await world.redis.pttl(key)).toBeGreaterThan(0);
  });

  test('counts from zero again when a counter is malformed', async () => {
    const rules = [rule({ limit: 2 })];
    await verdicts(1, rules);
    const [key = ''] = await world.redis.keys('*:lock:count:*');
    await world.redis.set(key, 'rubbish', 'PX', 60_000);
    expect(await verdicts(3, rules)).toEqual(['admitted', 'admitted', 'LOCKED']);
  });

  test('still works when Redis has lost its scripts', async () => {
    const rules = [rule({ limit: 4 })];
    for (let i = 0; i < 4; i++) {
      await world.redis.script('FLUSH');
      expect(await verdicts(1, rules)).toEqual(['admitted']);
    }
    expect(await verdicts(1, rules)).toEqual(['LOCKED']);
  });
});

describe('a count of failures', () => {
  const failures = rule({ name: 'failures', count: 'failure', limit: 3, lockSeconds: 600, by: ['account'] });
  const attempt = async (rules: readonly LockRule[], success: boolean, identities = {}): Promise<string> => {
    const request = requestOf(rules, { identities: { account: 'ann', ...identities } });
    const { verdict, admission } = await verdictOf(request);
    if (success && admission?.verdict === 'admitted') await admission.giveBack();
    return verdict;
  };

  test('goes down by one after a success, so that parallel guesses are still counted', async () => {
    expect(await attempt([failures], false)).toBe('admitted');
    expect(await attempt([failures], false)).toBe('admitted');
    expect(await attempt([failures], true)).toBe('admitted');
    expect(Object.values(await counters())).toEqual(['0;2']);
    expect(await attempt([failures], false)).toBe('admitted');
    expect(await attempt([failures], true)).toBe('LOCKED');
  });

  test('of an address is not reset by correct logins of the attacker', async () => {
    const byIp = rule({ name: 'by-ip', count: 'failure', limit: 3, by: ['ip'] });
    for (const guess of [false, true, false, true, false]) await attempt([byIp], guess);
    expect(await attempt([byIp], true)).toBe('LOCKED');
  });

  test('goes down once for each success, and a success does not end a lock', async () => {
    const request = requestOf([failures], { identities: { account: 'ann' } });
    const admitted = (await admit(request)) as Admitted;
    await attempt([failures], false);
    await admitted.giveBack();
    await admitted.giveBack();
    expect(Object.values(await counters())).toEqual(['0;1']);
    const other = requestOf([failures], { identities: { account: 'ann' } });
    const otherAdmitted = (await admit(other)) as Admitted;
    await attempt([failures], false);
    expect(await attempt([failures], false)).toBe('LOCKED');
    await otherAdmitted.giveBack();
    expect(await attempt([failures], false)).toBe('LOCKED');
  });

  test('lets the same caller pass at once after a success, also when a refusal was remembered', async () => {
    const session = randomUUID();
    const good = requestOf([failures], { identities: { account: 'ann', session } });
    const admitted = (await admit(good)) as Admitted;
    const short = { ...failures, lockSeconds: undefined } as unknown as LockRule;
    await attempt([short], false, { session });
    await attempt([short], false, { session });
    expect(await attempt([short], false, { session })).toBe('LOCKED');
    await admitted.giveBack();
    expect(await attempt([short], false, { session })).toBe('admitted');
  });
});

describe('identities and declarations', () => {
  test.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:0207', '192.0.2.7'],
    ['192.0.2.7', '192.0.2.7'],
    ['', ''],
  ])('the address %s counts as %s', (ip, identity) => {
    expect(ipIdentity(ip)).toBe(identity);
  });

  test.each<[string, LockRule[]]>([
    ['two rules of one name', [rule({}), rule({})]],
    ['a limit of zero', [rule({ limit: 0 })]],
    ['a limit that is not a whole number', [rule({ limit: 1.5 })]],
    ['a window of zero seconds', [rule({ windowSeconds: 0 })]],
    ['a window shorter than a second', [rule({ windowSeconds: 0.5 })]],
    ['no identity to count by', [rule({ by: [] })]],
    ['an extension without a lock', [rule({ extend: true })]],
    [
      'more calls in a shorter window than in a longer one',
      [rule({ name: 'a', limit: 9, windowSeconds: 5 }), rule({ name: 'b' })],
    ],
    ['a count by app alone, with which a stranger could lock out all users of a public app', [rule({ by: ['app'] })]],
    ['a name that is reserved for operators', [rule({ name: 'operator-ip' })]],
  ])('a declaration with %s is refused at start-up', (_what, rules) => {
    expect(() => checkRules('data:test', rules)).toThrow('lock rules of data:test');
  });
});
