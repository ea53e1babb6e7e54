import { randomUUID } from 'node:crypto';
import { deleteEndedReservations, deleteEndedResets, deleteIdentitiesOfErased } from '../account/ended-rows.ts';
import { keepReplayRecords } from '../admission/replay-record.ts';
import { LEASE_MS } from '../cache/cache.ts';
import { fillArguments } from '../cache/fill.ts';
import { decayHotKeys } from '../cache/hot-keys.ts';
import { claimScript, fillScript, giveUpScript } from '../cache/scripts.ts';
import { invalidate } from '../cache/write.ts';
import { checkClock } from '../clock.ts';
import { type FilterStep, maintainFilter } from '../data/filter-builder.ts';
import { loadResources, newestIds, resourceKey } from '../data/records.ts';
import { deleteEndedRecords } from '../data/records-of-user.ts';
import type { Resource } from '../data/resource.ts';
import { allResources } from '../data/resources.ts';
import { EngineError } from '../errors.ts';
import { rewritePolicies } from '../lock/stored-policy.ts';
import { evaluate } from '../redis.ts';
import { sweepEndedSessions } from '../session/ended-copies.ts';
import { deleteOldSessions } from '../session/old-rows.ts';
import { count } from '../telemetry.ts';
import { sweepChangedRows, sweptTables } from './changed-rows.ts';
import { warmFirstPages } from './warm-pages.ts';

/**
 * The scheduled cache-warm (row A10 (hot data)), once a minute and once after deploy. The steps are independent: a
 * failure of one engine does not stop the others. Two runs at the same time do no harm.
 */
interface WarmReport {
  /** Number of rows changed since the last run; their keys were deleted. */
  swept: number | 'failed';
  /** Records loaded into the cache. `candidates`: the declared and the hot ones. */
  warmed: number | 'failed';
  candidates: number;
  /** First pages of lists that were loaded into the cache, and those that could not be. */
  pages: { loaded: number; failed: number } | 'failed';
  /** The step that was done for the existence filter of each resource. */
  filters: Record<string, FilterStep | 'failed'>;
  /** Targets whose operator policy was written again, so that after a flush none is missing for more than a minute. */
  policies: number | 'failed';
  /** Since marks that had to be set again: more than 0 after a flush. */
  replayRecordsBegun: number | 'failed';
  /** Deleted rows of sessions that ended long ago. */
  oldSessions: number | 'failed';
}

const HOT_LIMIT = 200;
const MAX_LOADS = 500;
const SLICE = 50;
/** A record is loaded again when less than this share of its fresh time is left. */
const AHEAD = 0.3;

export async function warmCache(limits: { stopAt: number; settleMs?: number }): Promise<WarmReport> {
  await checkClock('cache-warm');
  const replayRecordsBegun = await attempt('replay-records', () => keepReplayRecords());
  await attempt('ended-sessions', () => sweepEndedSessions());
  const sweep = await attempt('sweep', () => sweepChangedRows(sweptTables(), limits.stopAt));
  const policies = await attempt('policies', rewritePolicies);
  const oldSessions = await attempt('old-sessions', deleteOldSessions);
  await attempt('ended-reservations', deleteEndedReservations);
  await attempt('ended-resets', deleteEndedResets);
  await attempt('erased-identities', deleteIdentitiesOfErased);
  await attempt('ended-records', deleteEndedRecords);
  let candidates = 0;
  const warmed = await attempt('warm', async () => {
    const wanted = await wantedIds();
    let loads = 0;
    for (const [resource, ids] of wanted) {
      candidates += ids.length;
      for (let at = 0; at < ids.length && loads < MAX_LOADS && Date.now() < limits.stopAt; at += SLICE) {
        loads += await warm(resource, ids.slice(at, at + SLICE));
      }
    }
    return loads;
  });
  const pages = await attempt('pages', () => warmFirstPages(allResources(), limits.stopAt));
  // Only after a successful sweep, which announces the rows of other tools to the filters.
  const filters: WarmReport['filters'] = {};
  if (sweep !== 'failed' && sweep.whole) {
    for (const resource of allResources().filter(({ filtered }) => filtered)) {
      filters[resource.name] = await attempt('filter', () => maintainFilter(resource, limits.stopAt, limits.settleMs));
    }
  }
  const swept = sweep === 'failed' ? sweep : sweep.rows;
  return { swept, warmed, candidates, pages, filters, policies, replayRecordsBegun, oldSessions };
}

async function attempt<T>(step: string, work: () => Promise<T>): Promise<T | 'failed'> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    count(`cache-warm.${step}-failed`);
    return 'failed';
  }
}

/** The declared records (the newest of a resource) and the hottest ones. */
async function wantedIds(): Promise<Map<Resource, string[]>> {
  const hot = await decayHotKeys(HOT_LIMIT);
  const wanted = new Map<Resource, string[]>();
  for (const resource of allResources()) {
    const measured = hot.filter(({ name }) => name.startsWith(`${resource.name}:`));
    const ids = [...measured.map(({ name }) => name.slice(resource.name.length + 1)), ...(await newestIds(resource))];
    wanted.set(resource, [...new Set(ids)]);
  }
  return wanted;
}

/** Loads what is missing or near its end, under leases, so that it overwrites no newer invalidation. */
async function warm(resource: Resource, ids: string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const leaseId = randomUUID();
  const keys = ids.map((id) => resourceKey(resource, id));
  const startedAt = Date.now();
  const aheadMs = resource.cache.freshSeconds * 1000 * AHEAD;
  const claims = await evaluate<number[]>(claimScript, keys, [leaseId, LEASE_MS, aheadMs]);
  const claimed = claims.flatMap((claim, index) => (claim === 1 ? [index] : []));
  if (claimed.length === 0) return 0;
  const rows = await loadResources(resource, ids)(claimed, true).catch(async (error) => {
    const leased = claimed.map((index) => keys[index] as (typeof keys)[number]);
    await evaluate(giveUpScript, leased, [leaseId, 0]).catch(() => {});
    throw error;
  });
  const loadMs = (Date.now() - startedAt) / claimed.length;
  const alive = claimed.flatMap((index, position) => {
    const row = rows[position];
    return row && row.value !== null ? [{ key: keys[index] as (typeof keys)[number], row }] : [];
  });
  // A record that no longer exists gets no null marker here: the next reader finds it missing.
  const gone = claimed.flatMap((index, position) => (rows[position]?.value == null ? [keys[index]] : []));
  await invalidate(gone as typeof keys);
  if (alive.length === 0) return 0;
  const fills = alive.flatMap(({ row }) => fillArguments(row, resource.cache, loadMs, { primary: true, spread: 0.2 }));
  const fits = await evaluate<number[]>(
    fillScript,
    alive.map(({ key }) => key),
    [leaseId, ...fills],
  );
  return fits.filter((fit) => fit === 1).length;
}
