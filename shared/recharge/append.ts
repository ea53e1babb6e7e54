import { repeatOnContention } from '../contention.ts';
import { query, type Transaction, type Written, writeRepeatably } from '../db.ts';
import { ContentionError, SqlError } from '../errors.ts';
import { type Fragment, sql } from '../sql-fragment.ts';
import { alarm } from '../telemetry.ts';
import { type Entry, type EntryKind, findEntry } from './entry.ts';

/**
 * The only way to add an entry to the ledger: one INSERT ... SELECT with its conditions inside. It adds the entry and
 * moves the head of the wallet (row 0), so that neither exists without the other. A statement that is repeated, late, or
 * sent again after a lost answer changes nothing: the unique keys (kind, ref) and ext_ref refuse it.
 */
interface NewEntry {
  kind: EntryKind;
  /** Unique for the kind. */
  ref: string;
  /** The provider's own reference, unique for all entries. */
  extRef?: string;
  /** The tables that the wallet comes from, with the row of its user, which serves as the lock of the wallet. */
  from: Fragment;
  /** No row: the entry is refused. `l` is the last entry, `h` the head. */
  where: Fragment;
  wallet: { appId: Fragment; userId: Fragment; asset: Fragment };
  delta: Fragment;
  heldDelta?: Fragment;
  contra: Fragment;
  reason?: Fragment;
  requestHash?: string;
  /** A time. */
  expiresAt?: Fragment;
  /** An integer from 0 on, returned as `report`: it saves the statement that would read it. */
  report?: Fragment;
}

/** For conditions and amounts: the balance before the entry, and the part of it that no hold keeps. */
export const BALANCE: Fragment = sql`COALESCE(l.balance_after, 0)`;
/** What holds keep. */
export const HELD: Fragment = sql`COALESCE(h.held_after, 0)`;
export const AVAILABLE: Fragment = sql`COALESCE(l.balance_after, 0) - COALESCE(h.held_after, 0)`;

/**
 * `created`: this call appended the entry. `found`: the entry exists already, perhaps from this call, whose answer was
 * lost; `agrees`: the conditions of this statement held. `refused`: they did not hold. `foreign`: another entry already
 * has this transaction of the provider.
 */
export type Appended =
  | { outcome: 'created'; report: number }
  | { outcome: 'found'; entry: Entry; agrees: boolean }
  | { outcome: 'refused' }
  | { outcome: 'foreign' };

const TRIES = 12;
const ER_PARSE_ERROR = 1064;
const ER_NOT_SUPPORTED_YET = 1235;
const ER_OUT_OF_RANGE = 1690;

/** Throws EngineError. */
export const appendOnce = (entry: NewEntry): Promise<Appended> =>
  repeatOnContention(() => append(entry, { query, write: writeRepeatably }), { tries: TRIES });

/** As appendOnce(), in a transaction, which the caller repeats after contention. Throws ContentionError, EngineError. */
export const appendIn = (transaction: Transaction, entry: NewEntry): Promise<Appended> => append(entry, transaction);

async function append(entry: NewEntry, engine: Transaction): Promise<Appended> {
  const { kind, ref, extRef } = entry;
  const written = await runStatement(entry, engine.write);
  if (written !== null && written.rowsAffected > 0) return { outcome: 'created', report: Number(written.insertId) };
  const found = await findEntry(kind, ref, engine.query);
  if (found) return { outcome: 'found', entry: found, agrees: written === null };
  if (written !== null) return { outcome: 'refused' };
  if (extRef !== undefined && (await isTaken(extRef, engine))) return { outcome: 'foreign' };
  // In the plain form two writers may have tried to use the same seq.
  throw new ContentionError();
}

/**
 * STRAIGHT_JOIN and FOR UPDATE make all these statements take their locks in one order (order, refund, user, last
 * entry), so that they do not deadlock. An engine that refuses these words gets the plain form. It is also correct,
 * because `seq` is in the primary key, but it has to be repeated when several writers run at once.
 */
let locking = true;
/** For tests of the plain form. */
export function useLocking(on: boolean): void {
  locking = on;
}
export const isLocking = (): boolean => locking;

/** null: one of the unique keys is taken. */
async function runStatement(entry: NewEntry, send: Transaction['write']): Promise<Written | null> {
  const isLocked = locking;
  const { text, values } = statementOf(entry, isLocked);
  try {
    return await send(text, values);
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    const { errno } = error;
    if (errno === ER_OUT_OF_RANGE) return null;
    if (!isLocked || (errno !== ER_PARSE_ERROR && errno !== ER_NOT_SUPPORTED_YET)) throw error;
    if (locking) alarm('ledger-without-locking');
    locking = false;
    return runStatement(entry, send);
  }
}

const isTaken = async (extRef: string, { query: ask }: Transaction): Promise<boolean> =>
  (await ask('SELECT 1 AS taken FROM ledger_entries WHERE ext_ref = ?', [extRef])).length > 0;

const NULL: Fragment = sql`NULL`;
const ZERO: Fragment = sql`0`;

/**
 * `n` is the new entry, `side` makes two rows of it: the entry and the head. The head exists already, so its row updates
 * it. If a unique key of the entry is taken, the update would hit an entry: adding the highest number to its `seq` fails,
 * and nothing of the statement stays. NULLIF(...) is NULL: it only hands `report` to LAST_INSERT_ID().
 */
function statementOf(entry: NewEntry, isLocked: boolean): Fragment {
  const straight = isLocked ? sql`STRAIGHT_JOIN` : sql``;
  const forUpdate = isLocked ? sql`FOR UPDATE` : sql``;
  const { wallet, delta, heldDelta = ZERO, contra, reason = NULL, expiresAt = NULL, report = ZERO } = entry;
  const { appId, userId, asset } = wallet;
  return sql`INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, held_delta, held_after, kind,
     ref, contra, ext_ref, reason, request_hash, expires_at, created_at, chain_hash, last_seq)
   SELECT n.app_id, n.user_id, n.asset, IF(side.is_head, 0, n.seq), IF(side.is_head, 0, n.delta), n.balance_after,
          IF(side.is_head, 0, n.held_delta), n.held_after, IF(side.is_head, 'head', n.kind),
          IF(side.is_head, SHA2(CONCAT_WS('/', n.app_id, n.user_id, n.asset), 256), n.ref),
          IF(side.is_head, '', n.contra), IF(side.is_head, NULL, n.ext_ref), IF(side.is_head, NULL, n.reason),
          IF(side.is_head, NULL, n.request_hash), IF(side.is_head, NULL, n.expires_at), n.created_at,
          ${chainOf('n', 'n.hash_before')}, IF(side.is_head, n.seq, NULLIF(LAST_INSERT_ID(n.report), n.report))
     FROM (SELECT ${straight} ${appId} AS app_id, ${userId} AS user_id, ${asset} AS asset, COALESCE(l.seq, 0) + 1 AS seq,
                  ${delta} AS delta, ${BALANCE} + ${delta} AS balance_after, ${heldDelta} AS held_delta,
                  COALESCE(h.held_after, 0) + ${heldDelta} AS held_after, ${entry.kind} AS kind, ${entry.ref} AS ref,
                  ${contra} AS contra, ${entry.extRef ?? null} AS ext_ref, ${reason} AS reason,
                  ${entry.requestHash ?? null} AS request_hash, CAST(${expiresAt} AS DATETIME(3)) AS expires_at, NOW(3) AS created_at,
                  l.chain_hash AS hash_before, ${report} AS report
             FROM ${entry.from}
             LEFT JOIN ledger_entries l ON l.app_id = ${appId} AND l.user_id = ${userId} AND l.asset = ${asset}
              AND l.seq = (SELECT MAX(x.seq) FROM ledger_entries x
                            WHERE x.app_id = ${appId} AND x.user_id = ${userId} AND x.asset = ${asset})
             LEFT JOIN ledger_entries h ON h.app_id = ${appId} AND h.user_id = ${userId} AND h.asset = ${asset}
              AND h.seq = 0
            WHERE ${entry.where} ${forUpdate}) n
     JOIN (SELECT 0 AS is_head UNION ALL SELECT 1) side
    WHERE TRUE
   ON DUPLICATE KEY UPDATE
     balance_after = IF(ledger_entries.seq = 0, VALUES(balance_after),
                        ledger_entries.seq + 18446744073709551615),
     held_after = VALUES(held_after), chain_hash = VALUES(chain_hash), last_seq = VALUES(last_seq), created_at = VALUES(created_at)`;
}

/**
 * The SHA-256 of an entry and of the chain before it, as 32 bytes: an entry that is changed, exchanged or moved no
 * longer fits. The audit computes it again from the stored row with the same expression.
 */
export const chainOf = (row: string, before: string): Fragment => ({
  text: `UNHEX(SHA2(CONCAT_WS('|', COALESCE(HEX(${before}), ''), ${row}.app_id, ${row}.user_id, ${row}.asset, ${row}.seq,
    ${row}.delta, ${row}.balance_after, ${row}.held_delta, ${row}.held_after, ${row}.kind, ${row}.ref, ${row}.contra,
    COALESCE(${row}.ext_ref, ''), COALESCE(${row}.request_hash, ''), COALESCE(UNIX_TIMESTAMP(${row}.expires_at), ''),
    UNIX_TIMESTAMP(${row}.created_at), HEX(CONVERT(COALESCE(${row}.reason, '') USING utf8mb4))), 256))`,
  values: [],
});
