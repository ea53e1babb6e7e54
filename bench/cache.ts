import { randomBytes, randomUUID } from 'node:crypto';
import { admit } from '../shared/admission/admission.ts';
import { type CachePolicy, readThrough, settleReads } from '../shared/cache/cache.ts';
import { announceIds, filterCheck } from '../shared/cache/existence-filter.ts';
import { invalidate } from '../shared/cache/write.ts';
import { maintainFilter } from '../shared/data/filter-builder.ts';
import { getResource } from '../shared/data/resources.ts';
import { keyFamily } from '../shared/keys.ts';
import { batch } from '../shared/redis.ts';
import type { CacheAnchor } from './anchors.ts';
import { type BenchRedis, cpuMicroseconds, startBenchRedis } from './engines.ts';

/** Compares requests, commands, CPU, stale values, and loads in a stampede and a flood with other projects. */
export const suite = { name: 'cache', about: 'reads through the cache, compared with other projects', run };

const POLICY: CachePolicy = { freshSeconds: 300, graceSeconds: 60, nullSeconds: 30 };
const cacheKey = keyFamily<[string]>({ area: 'cache', name: 'bench', version: 1, parts: ['id'], ttlSeconds: 600 });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const FUZZ_RUNS = 300;
const FLOOD_IDS = Number(process.env.BENCH_FLOOD_IDS ?? 1_000_000);
const FLOOD_PER_CALL = 100;
const ANCHOR_FLOOD_IDS = 20_000;

const ours = (): CacheAnchor => ({
  name: 'miniapp-cloud',
  kind: 'http',
  get: async (key, load) => {
    const [found] = await readThrough([cacheKey(key)], POLICY, async () => [{ value: await load(), version: 1 }]);
    return found?.value;
  },
  forget: (key) => invalidate([cacheKey(key)]),
});

async function run() {
  const redis = await startBenchRedis();
  try {
    const { cacheAnchors } = await import('./anchors.ts');
    const contenders = [ours, ...(await cacheAnchors(redis))];
    const requests = [];
    for (const make of contenders) requests.push(await measure(redis, make));
    return { requests, admission: await admissionCpu(), flood: await floods(redis, contenders) };
  } finally {
    await redis.stop();
  }
}

const text = ({ requests, commands }: { requests: number; commands: number }): string => `${requests} / ${commands}`;

async function measure(redis: BenchRedis, make: () => CacheAnchor) {
  await redis.flush();
  const cache = make();
  const { name, kind } = cache;
  const value = { id: '1', text: 'x'.repeat(900) };
  await cache.get('warm', async () => value);
  const miss = await redis.count(kind, () => cache.get('a', async () => value));
  const hit = await redis.count(kind, () => cache.get('a', async () => value));
  await cache.get('none', async () => null).catch(() => undefined);
  let loads = 0;
  const nullHit = await redis.count(kind, async () => {
    await cache.get('none', async () => {
      loads++;
      return null;
    });
  });
  const invalidate = await redis.count(kind, () => cache.forget('a'));
  await cache.get('a', async () => value);
  const cpu = await cpuMicroseconds(1_000, () => cache.get('a', async () => value));
  return {
    name,
    'miss (requests / commands)': text(miss),
    hit: text(hit),
    'null hit': text(nullHit) + (loads > 0 ? ' and a load' : ''),
    invalidate: text(invalidate),
    'CPU us per hit': cpu,
    [`stale of ${FUZZ_RUNS}`]: await countStale(make),
    'loads of 1 000 parallel misses': await stampede(make),
  };
}

/** Two readers and a writer use one key at once. After that the cache should hold the row, or nothing. */
async function countStale(make: () => CacheAnchor): Promise<number> {
  const callers = [make(), make(), make()] as [CacheAnchor, CacheAnchor, CacheAnchor];
  let stale = 0;
  for (let i = 0; i < FUZZ_RUNS; i++) {
    const key = `fuzz${i}`;
    let row = 1;
    const reader = async (cache: CacheAnchor) => {
      await sleep(Math.random() * 6);
      await cache.get(key, async () => {
        const seen = row;
        await sleep(Math.random() * 6);
        return seen;
      });
    };
    const writer = async () => {
      await sleep(Math.random() * 8);
      row = 2;
      await callers[2].forget(key);
    };
    await Promise.all([reader(callers[0]), reader(callers[1]), writer()]);
    const left = await make().get(key, async () => 'absent');
    if (left !== 'absent' && left !== row) stale++;
  }
  return stale;
}

async function stampede(make: () => CacheAnchor): Promise<number> {
  const callers = Array.from({ length: 8 }, make);
  let loads = 0;
  const load = async () => {
    loads++;
    await sleep(20);
    return 1;
  };
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => callers[i % 8]?.get('stampede', load)));
  return loads;
}

const tokenOf = () => ({
  appId: 'bench',
  keyId: 'k',
  signature: randomBytes(32).toString('hex'),
  nonce: randomUUID(),
  timeStamp: Math.floor(Date.now() / 1000),
  version: 2 as const,
});

/** CPU of a whole admission with a hit, compared with a pipeline of as many commands that decides nothing. */
async function admissionCpu() {
  const key = cacheKey('admitted');
  const load = async () => [{ value: { id: '1', text: 'x'.repeat(900) }, version: 1 }];
  await readThrough([key], POLICY, load);
  // Tokens are the authorizer's work, not admission's.
  const tokens = Array.from({ length: 20_000 }, tokenOf);
  const admitted = () => async () => {
    const requestId = randomUUID();
    const token = tokens.pop() ?? tokenOf();
    const targets = [{ name: 'GET /bench', rules: [] }];
    const request = {
      requestId,
      token,
      unsafe: false,
      targets,
      identities: { app: 'bench' },
      reads: [{ key }],
    };
    const admission = await admit(request);
    if (admission.verdict === 'admitted') await settleReads(requestId, [key], admission.reads, POLICY, load);
  };
  const bare = () => async () => {
    const answers = await batch([
      ['psetex', cacheKey(randomUUID()), 310_000, '1'],
      ['get', cacheKey('session')],
      ['pttl', cacheKey('session')],
      ['get', key],
    ]);
    JSON.parse(String(answers[3]).replace(/^.*?;;/, ''));
  };
  // They take turns, because the speed of the machine changes.
  const rounds: Array<[number, number]> = [];
  for (let round = 0; round < 7; round++) {
    rounds.push([await cpuMicroseconds(800, admitted()), await cpuMicroseconds(800, bare())]);
  }
  const [ourUs, bareUs] = rounds.sort((a, b) => a[0] / a[1] - b[0] / b[1])[3] as [number, number];
  return {
    'CPU us per admitted hit': ourUs,
    'per bare pipeline of 4': bareUs,
    ratio: Number((ourUs / bareUs).toFixed(2)),
  };
}

/** Random ids that do not exist: counts the loads from the database, and the memory in Redis. */
async function floods(redis: BenchRedis, contenders: Array<() => CacheAnchor>) {
  const rows = [await ourFlood(redis)];
  for (const make of contenders.slice(1)) {
    await redis.flush();
    const cache = make();
    const before = await redis.memoryBytes();
    let loads = 0;
    for (let i = 0; i < ANCHOR_FLOOD_IDS; i += 50) {
      const calls = Array.from({ length: 50 }, (_, j) =>
        cache.get(`r${i + j}-${Math.random()}`, async () => {
          loads++;
          return null;
        }),
      );
      await Promise.all(calls);
    }
    rows.push(floodRow(cache.name, ANCHOR_FLOOD_IDS, loads, (await redis.memoryBytes()) - before));
  }
  return rows;
}

const floodRow = (name: string, ids: number, loads: number, bytes: number) => ({
  name,
  ids,
  'database loads %': Number(((100 * loads) / ids).toFixed(2)),
  'Redis bytes per id': Number((bytes / ids).toFixed(1)),
  'Redis MB per million': Number((bytes / ids).toFixed(1)),
});

async function ourFlood(redis: BenchRedis) {
  await redis.flush();
  const resource = { ...getResource('service'), name: 'flood' };
  await fullFilter(resource);
  const before = await redis.memoryBytes();
  let loads = 0;
  for (let at = 0; at < FLOOD_IDS; at += FLOOD_PER_CALL * 8) {
    const calls = Array.from({ length: 8 }, async () => {
      const ids = Array.from({ length: FLOOD_PER_CALL }, () => String(1e9 + Math.floor(Math.random() * 1e14)));
      const reads = ids.map((id) => ({ key: cacheKey(id), filter: filterCheck(resource.name, id) }));
      const requestId = randomUUID();
      const targets = [{ name: 'GET /bench', rules: [] }];
      const admission = await admit({ requestId, token: tokenOf(), unsafe: false, targets, identities: {}, reads });
      if (admission.verdict !== 'admitted') throw new Error('not admitted');
      await settleReads(
        requestId,
        reads.map(({ key }) => key),
        admission.reads,
        POLICY,
        async (indexes) => {
          loads += indexes.length;
          return indexes.map(() => ({ value: null, version: 0 }));
        },
      );
    });
    await Promise.all(calls);
  }
  const row = floodRow('miniapp-cloud, filter at its limit', FLOOD_IDS, loads, (await redis.memoryBytes()) - before);
  return row;
}

/** The most ids before the filter grows: the largest share of "perhaps". */
async function fullFilter(resource: ReturnType<typeof getResource>): Promise<void> {
  const ids = Array.from({ length: 20_900 }, (_, i) => String(i + 1));
  const source = {
    countRows: async () => ids.length,
    idsAfter: async (_: unknown, after: string, limit: number) => ids.slice(Number(after), Number(after) + limit),
  };
  await maintainFilter(resource, Date.now() + 60_000, 0, source);
  await announceIds(resource.name, ['1']);
  await maintainFilter(resource, Date.now() + 60_000, 0, source);
}
