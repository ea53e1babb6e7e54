import { randomBytes, randomUUID } from 'node:crypto';
import { admit } from '../shared/admission/admission.ts';
import { AppError } from '../shared/errors.ts';
import type { LockRule } from '../shared/lock/rule.ts';
import { type BenchRedis, cpuMicroseconds, startBenchRedis } from './engines.ts';

/** The cost and the accuracy of a lock, compared with two other rate limiters on the same Redis. */
export const suite = {
  name: 'lock',
  about: 'the API lock, compared with @upstash/ratelimit and rate-limiter-flexible',
  run,
};

/** `remembers`: always the same caller, so the denial memory of the process may be used. */
type Call = (who: string, remembers?: boolean) => Promise<boolean>;
interface Contender {
  name: string;
  kind: 'http' | 'tcp';
  /** `limit` calls in a minute, then locked for five minutes. `both`: also a second rule of 1 000 calls. */
  make(limit: number, both: boolean): Call;
}

let rulesMade = 0;

const ours: Contender = {
  name: 'miniapp-cloud (whole admission)',
  kind: 'http',
  make(limit, both) {
    const base = { by: ['user' as const], windowSeconds: 60, count: 'call' as const, onError: 'closed' as const };
    const rules: LockRule[] = [{ ...base, name: `r${++rulesMade}`, limit, lockSeconds: 300 }];
    if (both) rules.push({ ...base, name: `s${rulesMade}`, limit: 1_000 });
    return async (user, remembers = false) => {
      const session = remembers ? 'same' : randomUUID();
      try {
        await admit({
          requestId: randomUUID(),
          token: {
            appId: 'bench',
            keyId: 'k',
            signature: randomBytes(32).toString('hex'),
            nonce: randomUUID(),
            timeStamp: Math.floor(Date.now() / 1000),
            version: 2,
          },
          unsafe: false,
          targets: [{ name: 'GET /bench', rules }],
          identities: { user, session },
          reads: [],
        });
        return true;
      } catch (error) {
        if (error instanceof AppError && error.code === 'LOCKED') return false;
        throw error;
      }
    };
  },
};

async function anchors({ host, port, url, token }: BenchRedis): Promise<Contender[]> {
  const { Redis: Upstash } = await import('@upstash/redis');
  const { Ratelimit } = await import('@upstash/ratelimit');
  const { Redis } = await import('ioredis');
  const { RateLimiterRedis, RateLimiterUnion } = await import('rate-limiter-flexible');
  const upstash = new Upstash({ url, token });
  const tcp = new Redis({ host, port });
  const limiter = (limit: number) =>
    new Ratelimit({
      redis: upstash,
      prefix: `u${++rulesMade}`,
      limiter: Ratelimit.fixedWindow(limit, '60 s'),
      ephemeralCache: new Map(),
    });
  const flexible = (points: number, blockDuration: number) => {
    const keyPrefix = `f${++rulesMade}`;
    const remember = { inMemoryBlockOnConsumed: points + 1, inMemoryBlockDuration: 5 };
    return new RateLimiterRedis({ storeClient: tcp, keyPrefix, points, duration: 60, blockDuration, ...remember });
  };
  return [
    {
      name: '@upstash/ratelimit, fixed window (cannot lock longer)',
      kind: 'http',
      make(limit, both) {
        const limiters = both ? [limiter(limit), limiter(1_000)] : [limiter(limit)];
        return async (who) =>
          (await Promise.all(limiters.map((each) => each.limit(who)))).every(({ success }) => success);
      },
    },
    {
      name: 'rate-limiter-flexible with blockDuration',
      kind: 'tcp',
      make(limit, both) {
        const first = flexible(limit, 300);
        const limiter = both ? new RateLimiterUnion(first, flexible(1_000, 0)) : first;
        return (who) =>
          limiter.consume(who).then(
            () => true,
            (rejected: unknown) => {
              if (rejected instanceof Error) throw rejected;
              return false;
            },
          );
      },
    },
  ];
}

const text = ({ requests, commands }: { requests: number; commands: number }): string => `${requests} / ${commands}`;

async function run() {
  const redis = await startBenchRedis();
  try {
    const rows = [];
    for (const contender of [ours, ...(await anchors(redis))]) rows.push(await measure(redis, contender));
    return { locks: rows };
  } finally {
    await redis.stop();
  }
}

async function measure(redis: BenchRedis, { name, kind, make }: Contender) {
  const count = (work: () => Promise<unknown>) => redis.count(kind, work);
  const call = make(2, false);
  await call('warm');
  const first = await count(() => call('ann', true));
  const allowed = await count(() => call('ann', true));
  const tripped = await count(() => call('ann', true));
  const warm = await count(() => call('ann', true));
  const both = make(2, true);
  await both('warm');
  await both('bob');
  const two = await count(() => both('bob'));
  const many = make(37, false);
  const passed = (await Promise.all(Array.from({ length: 500 }, () => many('crowd')))).filter(Boolean).length;
  const open = make(1_000_000, false);
  return {
    name,
    'first (requests / commands)': text(first),
    allowed: text(allowed),
    'the call that trips': text(tripped),
    'denied, remembered': text(warm),
    'allowed by two rules': text(two),
    '37 of 500 at once': passed,
    'CPU us per call': await cpuMicroseconds(1_500, () => open('cpu')),
  };
}
