import { keepWarm, warmRequests } from '../data/cached-pages.ts';
import type { Resource } from '../data/resource.ts';
import { EngineError } from '../errors.ts';
import { inOneRequest } from '../redis.ts';
import { count } from '../telemetry.ts';

/**
 * Keeps the first pages of lists with `warm` in the cache. A page is loaded again before it ends ahead of the next run,
 * which comes a minute later.
 */
const AHEAD_MS = 65_000;
/** Pages that are claimed in one request and loaded at once. */
const SLICE = 10;

interface WarmedPages {
  loaded: number;
  /** They did not stop the others. */
  failed: number;
}

export async function warmFirstPages(resources: readonly Resource[], stopAt: number): Promise<WarmedPages> {
  const pages = resources.flatMap((resource) => warmRequests(resource).map((request) => ({ resource, request })));
  const warmed: WarmedPages = { loaded: 0, failed: 0 };
  for (const slice of inTurn(pages)) {
    if (Date.now() >= stopAt) break;
    const outcomes = await inOneRequest(() =>
      Promise.allSettled(slice.map(({ resource, request }) => keepWarm(resource, request, AHEAD_MS))),
    );
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') warmed.loaded += Number(outcome.value);
      else if (!(outcome.reason instanceof EngineError)) throw outcome.reason;
      else warmed.failed++;
    }
  }
  if (warmed.failed > 0) count('cache-warm.page-failed', warmed.failed);
  return warmed;
}

/** Slices. Each minute begins with another one, so that all get their turn when the time is never enough for all. */
function inTurn<T>(pages: readonly T[]): T[][] {
  const slices: T[][] = [];
  for (let at = 0; at < pages.length; at += SLICE) slices.push(pages.slice(at, at + SLICE));
  const first = slices.length === 0 ? 0 : Math.floor(Date.now() / 60_000) % slices.length;
  return [...slices.slice(first), ...slices.slice(0, first)];
}
