import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasReplica } from '../db.ts';
import type { Key } from '../keys.ts';
import { batch, evaluate } from '../redis.ts';
import { count } from '../telemetry.ts';
import { LEASE_MS, type ReadAnswer, WAIT_STEPS_MS, withLoadCap } from './cache.ts';
import { claimPageScript, fillPageScript, giveUpPageScript } from './page-scripts.ts';
import { decodeValue, encodeValue } from './value.ts';
import { ignoreEngine } from './write.ts';

/**
 * List pages in the cache. Whole pages are cached, each under the generation of its list: see page-scripts.ts.
 *
 * Redis is down, read route: the page is loaded from the primary, under the load cap. MySQL is down: a page of the
 * generation at hand is served inside its grace time, also when stale. The grace time never crosses a generation.
 */
interface PageKeys {
  page: Key;
  generation: Key;
}

/** How long a page is cached. */
export interface PageLives {
  freshSeconds: number;
  /** How much longer it may be served while MySQL fails. */
  graceSeconds: number;
}

interface FoundPage<T> {
  page: T;
  cache: 'hit' | 'miss' | 'stale';
}

/** What the script says about the generation of a page. */
interface Standing {
  number: string;
  /** How long ago the generation began. */
  ageMs: number;
  /** The page as it is in Redis; '' where the state gives none. */
  stored: string;
}

/** A generation begins after the write that ended the former one. A replica that is read is at most 30 s behind. */
const PRIMARY_FOR_MS = 60_000;
/** Larger pages are served and not cached. */
const MAX_PAGE_BYTES = 131_072;
const FAILED_REFRESH_PAUSE_MS = 30_000;

/** The number that a generation gets if this request begins it. 48 bits: exact in Lua and JavaScript. */
export const drawGeneration = (): string => String(randomInt(1, 2 ** 48 - 1));

/** The answer of admission for a read of a page: `<number>;<age>;<value>`. */
function standingOf({ stored }: ReadAnswer): Standing {
  const [, number = '', age = '', value = ''] = /^(\d+);(\d+);(.*)$/s.exec(stored) ?? [];
  return { number, ageMs: Number(age), stored: value };
}

/** Loads a page. `primary`: not from a replica. */
type LoadPage<T> = (primary: boolean) => Promise<T>;

/** Turns the answer of admission into a page. Throws what `load` throws, unless a stale page may be served. */
export async function settlePage<T>(
  leaseId: string,
  { page: key }: PageKeys,
  answer: ReadAnswer,
  lives: (page: T) => PageLives,
  load: LoadPage<T>,
): Promise<FoundPage<T>> {
  const { state } = answer;
  if (state === 'redis-down') return { page: await withLoadCap(() => load(true)), cache: 'miss' };
  const standing = standingOf(answer);
  const found = pageIn<T>(standing.stored, standing.number);
  if (state === 'hit' && found) return { page: found, cache: 'hit' };
  if (state === 'stale' && found) return { page: found, cache: 'stale' };
  if (state === 'wait') {
    const waited = await awaitPage<T>(key, standing.number);
    return waited ? { page: waited, cache: 'hit' } : { page: await load(true), cache: 'miss' };
  }
  const isLeased = state === 'lease' || state === 'refresh' || state === 'reload';
  if (!isLeased) return { page: await load(true), cache: 'miss' };
  const startedAt = Date.now();
  try {
    const page = await load(mustAskPrimary(standing));
    await fillPage(key, leaseId, standing, page, lives(page), Date.now() - startedAt);
    return { page, cache: 'miss' };
  } catch (error) {
    await evaluate(giveUpPageScript, [key], [leaseId, standing.number, FAILED_REFRESH_PAUSE_MS]).catch(ignoreEngine);
    if (!found) throw error;
    count('cache.served-stale');
    return { page: found, cache: 'stale' };
  }
}

/** A young generation: a replica may not yet have the write that ended the former one. */
const mustAskPrimary = ({ ageMs }: Standing): boolean => !hasReplica() || ageMs < PRIMARY_FOR_MS;

/** undefined: no page, or one of another generation. */
function pageIn<T>(stored: string, number: string): T | undefined {
  const cached = stored === '' ? undefined : decodeValue(stored);
  return cached && String(cached.version) === number ? (cached.value as T) : undefined;
}

/** Another request loads the page: looks three times within 150 ms. undefined: it is not there yet. */
async function awaitPage<T>(key: Key, number: string): Promise<T | undefined> {
  for (const step of WAIT_STEPS_MS) {
    await sleep(step * (0.7 + 0.3 * Math.random()));
    const [stored] = await batch([['get', key]]).catch(() => []);
    const page = typeof stored === 'string' ? pageIn<T>(stored, number) : undefined;
    if (page) return page;
  }
  return undefined;
}

async function fillPage<T>(
  key: Key,
  leaseId: string,
  { number }: Standing,
  page: T,
  { freshSeconds, graceSeconds }: PageLives,
  loadMs: number,
): Promise<void> {
  const freshMs = Math.round(freshSeconds * 1000 * (0.9 + 0.2 * Math.random()));
  const value = encodeValue(page, { freshMs, loadMs, version: Number(number) });
  if (Buffer.byteLength(value) > MAX_PAGE_BYTES) {
    count('cache.page-too-large');
    await evaluate(giveUpPageScript, [key], [leaseId, number, 0]).catch(ignoreEngine);
    return;
  }
  const filled = await evaluate<number>(
    fillPageScript,
    [key],
    [...[leaseId, number, value, freshMs + graceSeconds * 1000]],
  ).catch(ignoreEngine);
  if (filled === 0) count('cache.lease-lost');
}

/** Loads a page that is missing or ends within `aheadMs`, under a lease. false: it did not need it. Throws EngineError. */
export async function warmPage<T>(
  { page: key, generation }: PageKeys,
  aheadMs: number,
  lives: (page: T) => PageLives,
  load: LoadPage<T>,
): Promise<boolean> {
  const leaseId = randomUUID();
  const args = [leaseId, drawGeneration(), LEASE_MS, aheadMs];
  const [claimed, head] = await evaluate<[number, string]>(claimPageScript, [key, generation], args);
  if (claimed === 0) return false;
  const standing = standingOf({ state: 'lease', stored: head });
  const startedAt = Date.now();
  try {
    const page = await load(true);
    await fillPage(key, leaseId, standing, page, lives(page), Date.now() - startedAt);
    return true;
  } catch (error) {
    await evaluate(giveUpPageScript, [key], [leaseId, standing.number, 0]).catch(ignoreEngine);
    throw error;
  }
}
