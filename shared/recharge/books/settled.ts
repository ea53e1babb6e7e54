import { query, type Row } from '../../db.ts';
import { AppError } from '../../errors.ts';
import { hasVisibleText } from '../../visible-text.ts';
import { changeOnce, type MoneyChange, nameOf } from '../logged-change.ts';
import type { Finding } from './finding.ts';

/**
 * Differences that no command removes, such as money that was returned by hand: a person settles them, with a reason.
 * The amounts belong to the name: a difference whose amounts change is another one, and is open again.
 */
interface Settlement {
  reason: string;
  by: string;
  at: string;
}

export type SettledFinding = Finding & { settled: Settlement };

/** What is settled, and with which amounts: those that the person saw. */
export interface SettledDifference {
  /** Key of the finding. */
  difference: string;
  billFen: number | null;
  ledgerFen: number | null;
  reason: string;
}

/** Keys for one statement. */
const CHUNK = 500;

/** Tells the differences apart that a person has settled. Throws EngineError. */
export async function splitSettled(
  differences: readonly Finding[],
): Promise<{ open: Finding[]; settled: SettledFinding[] }> {
  const known = new Map<string, Settlement>();
  for (let i = 0; i < differences.length; i += CHUNK) {
    const keys = differences.slice(i, i + CHUNK).map(({ key }) => key);
    for (const row of await rowsOf(keys))
      known.set(
        settlementName(String(row.difference), Number(row.bill_fen), Number(row.ledger_fen)),
        settlementOf(row),
      );
  }
  const [open, settled]: [Finding[], SettledFinding[]] = [[], []];
  for (const finding of differences) {
    const { billFen, ledgerFen } = amountsOf(finding);
    const settlement = known.get(settlementName(finding.key, billFen, ledgerFen));
    if (settlement) settled.push({ ...finding, settled: settlement });
    else open.push(finding);
  }
  return { open, settled };
}

/** The difference as the last comparison stored it. Throws NOT_FOUND. */
async function findDifference(key: string): Promise<Finding & { settled?: Settlement }> {
  const rows = await query(
    `SELECT differences FROM reconciliations WHERE provider = ? AND LOCATE(?, differences) > 0
      ORDER BY compared_at DESC`,
    [key.split('/')[0] ?? '', JSON.stringify(key)],
  );
  const stored = rows.flatMap((row) => JSON.parse(String(row.differences)) as Finding[]);
  const found = stored.find((finding) => finding.key === key);
  if (!found)
    throw new AppError(
      'NOT_FOUND',
      `No stored comparison has the difference ${key}: run "recharge reconcile" for its day, which prints the names.`,
    );
  const { open, settled } = await splitSettled([found]);
  return settled[0] ?? open[0] ?? found;
}

/** The difference that would be settled. Throws NOT_FOUND, INVALID_INPUT (the reason says nothing, or is too long). */
export async function planSettle({ difference, reason }: Pick<SettledDifference, 'difference' | 'reason'>) {
  if (reason.length > 200 || !/^[^\p{Cc}\p{Cs}]+$/u.test(reason) || !hasVisibleText(reason))
    throw refused('The reason has 1 to 200 characters, and one of them is visible.');
  return findDifference(difference);
}

/** Settles once. Throws as planSettle(), and INVALID_INPUT if its amounts changed, EngineError. */
export async function settleDifference(
  { difference, reason, ...seen }: SettledDifference,
  by: Pick<MoneyChange, 'actor' | 'detail' | 'approves'>,
): Promise<SettledFinding> {
  const found = await planSettle({ difference, reason });
  if (found.billFen !== seen.billFen || found.ledgerFen !== seen.ledgerFen)
    throw refused(`The amounts of difference ${difference} have changed: nothing was settled. Look at it again.`);
  const { billFen, ledgerFen } = amountsOf(found);
  await changeOnce(
    'INSERT INTO settled_differences (difference, bill_fen, ledger_fen, reason, settled_by) VALUES (?, ?, ?, ?, ?)',
    [difference, billFen, ledgerFen, reason, nameOf(by.actor)],
    { ...by, action: 'recharge.settle', subject: difference, detail: { ...seen, reason, ...by.detail } },
  );
  const settled = await findDifference(difference);
  if (!settled.settled) throw refused(`Difference ${difference} was changed at this moment: look at it again.`);
  return settled as SettledFinding;
}

/** The settlement that was made last under this key; a new comparison may not have the difference any more. */
export async function findSettlement(key: string): Promise<Settlement & SettledDifference> {
  const [row] = await rowsOf([key]);
  if (!row) throw new AppError('NOT_FOUND', `Difference ${key} is not settled.`);
  const [billFen, ledgerFen] = [Number(row.bill_fen), Number(row.ledger_fen)];
  return { difference: key, billFen, ledgerFen, ...settlementOf(row) };
}

/** The difference is open again. Throws NOT_FOUND, EngineError. */
export async function unsettleDifference(key: string, actor: string): Promise<Settlement & SettledDifference> {
  const settlement = await findSettlement(key);
  const { billFen, ledgerFen, reason, by } = settlement;
  await changeOnce(
    'DELETE FROM settled_differences WHERE difference = ? AND bill_fen = ? AND ledger_fen = ?',
    [key, billFen, ledgerFen],
    { actor, action: 'recharge.unsettle', subject: key, detail: { billFen, ledgerFen, reason, settledBy: by } },
  );
  return settlement;
}

/** The newest first. */
const rowsOf = (keys: readonly string[]): Promise<Row[]> =>
  query(
    `SELECT difference, bill_fen, ledger_fen, reason, settled_by, settled_at FROM settled_differences
      WHERE difference IN (${keys.map(() => '?').join(', ')}) ORDER BY settled_at DESC`,
    keys,
  );

/** Kinds of which one side has nothing never have an amount there, so 0 stands for it. */
const amountsOf = ({ billFen, ledgerFen }: Pick<Finding, 'billFen' | 'ledgerFen'>) => ({
  billFen: billFen ?? 0,
  ledgerFen: ledgerFen ?? 0,
});

const settlementName = (difference: string, billFen: number, ledgerFen: number): string =>
  `${difference} ${billFen} ${ledgerFen}`;

const settlementOf = (row: Row): Settlement => ({
  reason: String(row.reason),
  by: String(row.settled_by),
  at: String(row.settled_at),
});

const refused = (sentence: string): AppError => new AppError('INVALID_INPUT', sentence);
