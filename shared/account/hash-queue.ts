import { AppError } from '../errors.ts';
import { remainingMs } from '../telemetry.ts';

/**
 * The queue in front of the password hashes of a process. It is fair for addresses and for accounts: the next turn is
 * that of the caller whose address and whose account had the fewest turns while the queue was busy. So many logins of
 * one address, or of one account from many addresses, do not make others wait.
 */
export interface HashCaller {
  /** '' if it is not known. */
  address: string;
  account: string;
}

/** Hashes that a process computes at once, since each needs 19 MB; and how many more may wait. */
const AT_ONCE = 2;
const MAX_WAITING = 64;
/** An answer of an engine takes a few turns of the event loop until the next request to an engine is sent. */
const LOOP_TURNS = 4;
/** Time that a login needs after its hash. */
const RESERVE_MS = 500;
/**
 * A login that waits longer would hardly be awaited by its user. It also ends well before the function's time limit.
 */
const PATIENCE_MS = 6_000;
/** After so many turns all counts are halved, so that a queue that is never empty forgets. */
const HALVED_AFTER = 1_000;

interface Waiting {
  names: readonly string[];
  begin(): void;
  refuse(): void;
}

let running = 0;
let waiting: Waiting[] = [];
/** Turns since the queue was last empty, by address and by account. */
const turns = new Map<string, number>();
let counted = 0;

/** Runs `work` when it is the caller's turn. Throws UNAVAILABLE when too many wait, or when no time is left. */
export async function inTurn<T>({ address, account }: HashCaller, work: () => Promise<T>): Promise<T> {
  const names = [`address ${address}`, `account ${account}`];
  if (running < AT_ONCE) running++;
  else await turnOf(names);
  for (const name of names) turns.set(name, turnsOf(name) + 1);
  if (++counted >= HALVED_AFTER) halveTurns();
  try {
    // A hash blocks the event loop. What arrived during the previous hash is handled first, and what follows from it.
    for (let turn = 0; turn < LOOP_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (remainingMs(2 * RESERVE_MS) < RESERVE_MS) throw busy();
    return await work();
  } finally {
    beginNext();
  }
}

/** Waits, at most as long as the call has time. Throws UNAVAILABLE. */
function turnOf(names: readonly string[]): Promise<void> {
  if (waiting.length >= MAX_WAITING && !makeRoomFor(names)) throw busy();
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      waiting = waiting.filter((other) => other !== entry);
    };
    const entry: Waiting = {
      names,
      begin: () => {
        leave();
        resolve();
      },
      refuse: () => {
        leave();
        reject(busy());
      },
    };
    const timer = setTimeout(entry.refuse, Math.max(0, Math.min(PATIENCE_MS, remainingMs(60_000) - RESERVE_MS)));
    waiting.push(entry);
  });
}

const turnsOf = (name: string): number => turns.get(name) ?? 0;
const turnsBefore = ({ names }: Waiting): number => Math.max(...names.map(turnsOf));

function beginNext(): void {
  let next: Waiting | undefined;
  for (const entry of waiting) if (!next || turnsBefore(entry) < turnsBefore(next)) next = entry;
  if (next) next.begin();
  else running--;
  if (running === 0) {
    turns.clear();
    counted = 0;
  }
}

/** The caller with the most turns and places gives up its last place, unless the newcomer has as many. */
function makeRoomFor(names: readonly string[]): boolean {
  const places = new Map<string, number>();
  for (const name of waiting.flatMap((entry) => entry.names)) places.set(name, (places.get(name) ?? 0) + 1);
  const weightOf = (of: readonly string[]): number =>
    Math.max(...of.map((name) => turnsOf(name) + (places.get(name) ?? 0)));
  let heaviest: Waiting | undefined;
  for (const entry of waiting) if (!heaviest || weightOf(entry.names) >= weightOf(heaviest.names)) heaviest = entry;
  if (!heaviest || weightOf(heaviest.names) <= weightOf(names) + 1) return false;
  heaviest.refuse();
  return true;
}

function halveTurns(): void {
  counted = 0;
  for (const [name, count] of turns) {
    if (count < 2) turns.delete(name);
    else turns.set(name, count >> 1);
  }
}

const busy = (): AppError => new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
