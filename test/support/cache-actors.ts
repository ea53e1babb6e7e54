import { readThrough } from '../../shared/cache/cache.ts';
import { sweepScript } from '../../shared/cache/scripts.ts';
import { writeStrict, writeThrough } from '../../shared/cache/write.ts';
import { EngineError } from '../../shared/errors.ts';
import { evaluate } from '../../shared/redis.ts';
import type { CacheWorld, Row } from './cache-world.ts';

/** dying: every writer crashes before it deletes its key, and the sweep deletes it. */
export type Family = 'plain' | 'strict' | 'dying';

/** The actors at a row, drawn from its seed: three readers and two or three writers, some of which crash or give up. */
function actorsOf(row: Row, family: Family, world: CacheWorld): Array<() => Promise<void>> {
  const { random } = row.schedule;
  const drawValue = (): number | null => (random() < 0.3 ? null : 1 + Math.floor(random() * 1_000));
  if (family === 'dying') {
    return [reader(row), reader(row), diesAndIsSwept(row, drawValue()), diesAndIsSwept(row, drawValue())];
  }
  const actors = [reader(row), reader(row), reader(row), writer(row, family, drawValue())];
  const draw = random();
  if (draw < 0.35) actors.push(writer(row, family, drawValue()));
  else if (draw < 0.6) actors.push(family === 'strict' ? givesUp(row, drawValue()) : diesAndIsSwept(row, drawValue()));
  else if (draw < 0.8) actors.push(writer(row, family, drawValue()), leaseEnds(row, world));
  else actors.push(writer(row, family, drawValue()), reader(row));
  return actors;
}

/** What is wrong after all actors have finished; '' if nothing is. */
export async function runInterleaving(
  world: CacheWorld,
  seed: number,
  family: Family,
  faultShare = 0,
): Promise<string> {
  const row = await world.interleaving(seed);
  row.schedule.faultShare = faultShare;
  await row.schedule.run(actorsOf(row, family, world));
  const cached = await row.inCache(world.redis);
  const ttl = await world.redis.pttl(row.key());
  const truth = await row.inMysql();
  if (ttl === -1) return `seed ${seed}: a key without an end`;
  if (row.staleReads > 0) return `seed ${seed}: a reader was given what was invalidated before it came`;
  // If a delete failed, the sweep repeats it. In a strict family the tombstone is enough.
  const needsSweep = family === 'plain' && faultShare > 0;
  if (!needsSweep && cached && cached.value !== truth) return `seed ${seed}: ${cached.value} cached over ${truth}`;
  return '';
}

const orEngineAway = (error: unknown): void => {
  if (!(error instanceof EngineError)) throw error;
};

/** A read never returns a value that was invalidated before the read began. */
const reader = (row: Row) => async () => {
  const from = row.invalidated;
  const [found] = await readThrough([row.key()], row.policy, row.load).catch((error) => {
    orEngineAway(error);
    return [];
  });
  if (found && !row.history.slice(from).includes(found.value)) row.staleReads++;
};

const writer = (row: Row, family: Family, value: number | null) => async () => {
  let at = row.invalidated;
  const commit = async () => {
    at = await row.commit(value);
  };
  await (family === 'strict' ? writeStrict([row.key()], commit) : writeThrough(commit, [row.key()])).catch(
    orEngineAway,
  );
  if (row.schedule.faultShare === 0) row.invalidated = Math.max(row.invalidated, at);
};

/** A client that does not learn the result of its statement. It is applied later, but before the tombstone ends. */
const givesUp = (row: Row, value: number | null) => async () => {
  let late: Promise<unknown> = Promise.resolve();
  await writeStrict([row.key()], async () => {
    await row.schedule.turn();
    late = row.late(value);
    throw new EngineError('mysql', 'timeout', 'unknown');
  }).catch(orEngineAway);
  await late;
};

/** A writer that crashes between commit and delete. cache-warm finds its row later. */
const diesAndIsSwept = (row: Row, value: number | null) => async () => {
  const at = await row.commit(value);
  await evaluate(sweepScript, [row.key()], [0, 1]).catch(orEngineAway);
  if (row.schedule.faultShare === 0) row.invalidated = Math.max(row.invalidated, at);
};

/** Plays the clock: ends a lease that is in the key. */
const leaseEnds = (row: Row, world: CacheWorld) => async () => {
  await row.schedule.turn();
  const stored = await world.redis.get(row.key());
  if (stored?.startsWith('L')) await world.redis.del(row.key());
  await row.schedule.turn();
};
