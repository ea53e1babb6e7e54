import { AppError } from '../errors.ts';
import { callsInProgress, remainingMs } from '../telemetry.ts';
import { networkOf, takePlace, tooManyAtOnce } from './hash-places.ts';

/**
 * The queue in front of the password hashes of a process. It is fair for addresses, for networks of /48, and for
 * accounts: the next turn is that of the caller for whom all of them had the fewest turns while the queue was busy. So
 * many logins of one address, or of one account from many addresses, do not make others wait.
 */
export interface HashCaller {
  /** '' if it is not known. */
  address: string;
  account: string;
}

/** Hashes that a process computes at once, since each needs 19 MB; and how many more may wait. */
const AT_ONCE = 2;
const MAX_WAITING = 64;
/** A caller with so many turns lets other calls have the thread before its next one. */
const FEW_TURNS = 2;
const LOOK_AGAIN_MS = 5;
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
/** Turns since the queue was last empty, by address, by network and by account. */
const turns = new Map<string, number>();
let counted = 0;
/** Milliseconds of performance.now(). Until then the thread is for calls that wait for engines, if there are any. */
let freeUntil = 0;
let lookAgain: NodeJS.Timeout | undefined;

/**
 * Runs `work` when it is the caller's turn. Throws LOCKED when too many of this caller wait. When too many of all wait,
 * or when no time is left: LOCKED for a caller with many turns and places, else UNAVAILABLE, which costs nothing.
 */
export async function inTurn<T>({ address, account }: HashCaller, work: () => Promise<T>): Promise<T> {
  const leavePlace = takePlace(address, account);
  const names = namesOf(address, account);
  try {
    await turnOf(names);
    const beganAt = performance.now();
    try {
      // A hash blocks the event loop. What arrived during the previous hash is handled first, and what follows from it.
      for (let turn = 0; turn < LOOP_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (remainingMs(2 * RESERVE_MS) < RESERVE_MS) throw refusalOf(names, 1);
      return await work();
    } finally {
      const endedAt = performance.now();
      freeUntil = endedAt + (endedAt - beganAt);
      endTurn();
    }
  } finally {
    leavePlace();
  }
}

/** What a caller is counted by: a /48 of IPv6 has as many turns as one address. */
function namesOf(address: string, account: string): string[] {
  const network = networkOf(address);
  return [`address ${address}`, `account ${account}`, ...(network === undefined ? [] : [`network ${network}`])];
}

/** Waits, at most as long as the call has time. Throws LOCKED, UNAVAILABLE. */
function turnOf(names: readonly string[]): Promise<void> {
  if (waiting.length >= MAX_WAITING && !makeRoomFor(names)) throw refusalOf(names, 0);
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
        const refusal = refusalOf(names, 1);
        leave();
        reject(refusal);
      },
    };
    const timer = setTimeout(entry.refuse, Math.max(0, Math.min(PATIENCE_MS, remainingMs(60_000) - RESERVE_MS)));
    waiting.push(entry);
    beginNext();
  });
}

const turnsOf = (name: string): number => turns.get(name) ?? 0;
const turnsBefore = ({ names }: Waiting): number => Math.max(...names.map(turnsOf));

/** Gives free turns to those who wait. */
function beginNext(): void {
  while (running < AT_ONCE && waiting.length > 0) {
    let next = waiting[0] as Waiting;
    for (const entry of waiting) if (turnsBefore(entry) < turnsBefore(next)) next = entry;
    if (turnsBefore(next) >= FEW_TURNS && othersNeedTheThread()) {
      clearTimeout(lookAgain);
      lookAgain = setTimeout(beginNext, LOOK_AGAIN_MS);
      return;
    }
    running++;
    for (const name of next.names) turns.set(name, turnsOf(name) + 1);
    if (++counted >= HALVED_AFTER) halveTurns();
    next.begin();
  }
}

/**
 * A login has about four requests to engines beside its hash. If each of their answers waited for hashes of another
 * caller, fair turns would not help. An instance on AWS handles one call at a time, so nobody waits there.
 */
function othersNeedTheThread(): boolean {
  const outside = callsInProgress() - running - waiting.length;
  return outside > 0 && (running > 0 || performance.now() < freeUntil);
}

function endTurn(): void {
  running--;
  beginNext();
  if (running === 0 && waiting.length === 0) {
    turns.clear();
    counted = 0;
  }
}

/** Turns and waiting places of a caller, by its name that has the most. */
function currentWeights(): (names: readonly string[]) => number {
  const held = new Map<string, number>();
  for (const name of waiting.flatMap((entry) => entry.names)) held.set(name, (held.get(name) ?? 0) + 1);
  return (names) => Math.max(...names.map((name) => turnsOf(name) + (held.get(name) ?? 0)));
}

/** The caller with the most turns and places gives up its last place, unless the newcomer has as many. */
function makeRoomFor(names: readonly string[]): boolean {
  const weightOf = currentWeights();
  let heaviest: Waiting | undefined;
  for (const entry of waiting) if (!heaviest || weightOf(entry.names) >= weightOf(heaviest.names)) heaviest = entry;
  if (!heaviest || weightOf(heaviest.names) <= weightOf(names) + 1) return false;
  heaviest.refuse();
  return true;
}

/**
 * A caller that fills the queue itself is refused as one that sends too much: otherwise it would keep the queue full
 * and pay nothing. Any other caller is refused because of others. `own`: what this call adds to its caller's weight.
 */
const refusalOf = (names: readonly string[], own: number): AppError =>
  currentWeights()(names) - own >= FEW_TURNS
    ? tooManyAtOnce(MAX_WAITING)
    : new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });

function halveTurns(): void {
  counted = 0;
  for (const [name, count] of turns) {
    if (count < 2) turns.delete(name);
    else turns.set(name, count >> 1);
  }
}
