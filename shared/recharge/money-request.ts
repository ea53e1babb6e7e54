import { optionalInteger } from '../config.ts';
import { query, type Row } from '../db.ts';
import { AppError } from '../errors.ts';
import { changeOnce } from './logged-change.ts';
import { type Detail, MOVEMENTS, type MoneyKind } from './money-movements.ts';
import { moneyRequestNumber } from './numbers.ts';

/**
 * Movements of money by operators that need a second person: open -> approving -> approved, open -> rejected. What is
 * approved is executed exactly once: the key of the movement is the number of its request. On the command line the name
 * of the operator is believed, so this protects against mistakes and not against fraud.
 */
export interface MoneyRequest {
  requestId: string;
  kind: MoneyKind;
  /** An order, or a wallet: `<AppID>/<userId>`. */
  subject: string;
  detail: Detail;
  status: 'open' | 'approving' | 'approved' | 'rejected';
  askedBy: string;
  askedAt: string;
  /** null: nobody. */
  decidedBy: string | null;
}

const LIMITS = { fen: optionalInteger('TWO_PERSONS_FEN'), units: optionalInteger('TWO_PERSONS_UNITS') };

/** `amount`: fen or units, as the kind has it; the sign does not count. */
export function needsSecondPerson(kind: MoneyKind, amount: number): boolean {
  const limit = LIMITS[MOVEMENTS[kind].unit]();
  return limit !== undefined && Math.abs(amount) > limit;
}

/** Stores a movement until a second person approves it. The same movement that is still open is not stored twice. */
export async function requestMovement(wanted: {
  kind: MoneyKind;
  subject: string;
  detail: Detail;
  actor: string;
}): Promise<MoneyRequest> {
  const { kind, subject, detail, actor } = wanted;
  const text = JSON.stringify(detail);
  const [decided] = await query(
    `SELECT COUNT(*) AS n FROM money_requests
      WHERE kind = ? AND subject = ? AND detail = ? AND status IN ('approved', 'rejected')`,
    [kind, subject, text],
  );
  const requestId = moneyRequestNumber(kind, subject, text, Number(decided?.n));
  await changeOnce(
    'INSERT INTO money_requests (request_id, kind, subject, detail, asked_by) VALUES (?, ?, ?, ?, ?)',
    [requestId, kind, subject, text, nameOf(actor)],
    { actor, action: 'recharge.request', subject, detail: { requestId, kind, ...detail } },
  );
  return knownRequest(requestId);
}

/** Requests that wait, the oldest first. */
export async function waitingRequests(limit = 200): Promise<MoneyRequest[]> {
  const rows = await query(
    `SELECT ${COLUMNS} FROM money_requests WHERE status IN ('open', 'approving') ORDER BY asked_at LIMIT ${limit}`,
  );
  return rows.map(fromRow);
}

/** Throws NOT_FOUND with a sentence. */
export async function knownRequest(requestId: string): Promise<MoneyRequest> {
  const [row] = await query(`SELECT ${COLUMNS} FROM money_requests WHERE request_id = ?`, [requestId]);
  if (!row)
    throw new AppError('NOT_FOUND', `There is no request ${requestId}. "recharge requests" lists those that wait.`);
  return fromRow(row);
}

/**
 * Executes a request, by another person than the one who asked. The row is claimed first, so that nobody can reject it
 * now. A crash afterwards is repaired by the same command: the movement is made once for its request. A movement that is
 * refused opens the request again. Throws NOT_FOUND, INVALID_INPUT, and what the movement throws.
 */
export async function approveRequest(
  requestId: string,
  actor: string,
): Promise<{ request: MoneyRequest; result: Detail }> {
  const request = await knownRequest(requestId);
  checkDecidable(request, actor);
  if (request.status === 'open') {
    const claim =
      "UPDATE money_requests SET status = 'approving', decided_by = ? WHERE request_id = ? AND status = 'open'";
    await changeOnce(claim, [nameOf(actor), requestId], undefined);
    checkDecidable(await knownRequest(requestId), actor);
  }
  const { kind, subject, detail } = request;
  const by = { actor, requestId, askedBy: request.askedBy };
  const result = await MOVEMENTS[kind].execute(detail, by).catch(async (error: unknown) => {
    if (error instanceof AppError) await reopen(requestId, actor);
    throw error;
  });
  await changeOnce(
    `UPDATE money_requests SET status = 'approved', decided_by = ?, decided_at = NOW(3)
      WHERE request_id = ? AND status IN ('open', 'approving')`,
    [nameOf(actor), requestId],
    { actor, action: 'recharge.approve', subject, detail: { requestId, kind, askedBy: request.askedBy } },
  );
  return { request: await knownRequest(requestId), result };
}

/** Nothing was moved, so the request can be rejected, or approved later. */
const reopen = (requestId: string, actor: string) =>
  changeOnce(
    `UPDATE money_requests SET status = 'open', decided_by = NULL
      WHERE request_id = ? AND status = 'approving' AND decided_by = ?`,
    [requestId, nameOf(actor)],
    undefined,
  );

/** Ends a request without a movement; the person who asked may do it, too. Throws NOT_FOUND, INVALID_INPUT. */
export async function rejectRequest(requestId: string, actor: string): Promise<MoneyRequest> {
  const { kind, subject, askedBy } = await knownRequest(requestId);
  await changeOnce(
    `UPDATE money_requests SET status = 'rejected', decided_by = ?, decided_at = NOW(3)
      WHERE request_id = ? AND status = 'open'`,
    [nameOf(actor), requestId],
    { actor, action: 'recharge.reject', subject, detail: { requestId, kind, askedBy } },
  );
  const request = await knownRequest(requestId);
  if (request.status === 'rejected') return request;
  if (request.status === 'approved') throw refused(`Request ${requestId} was approved by ${request.decidedBy}.`);
  throw refused(
    `Request ${requestId} is being executed by ${request.decidedBy}. If that command ended early, approve it again.`,
  );
}

function checkDecidable({ requestId, status, askedBy, decidedBy }: MoneyRequest, actor: string): void {
  if (status === 'rejected') throw refused(`Request ${requestId} was rejected by ${decidedBy}.`);
  if (isSamePerson(askedBy, actor))
    throw refused(`You (${actor}) asked for request ${requestId}: another person has to approve it. Nothing was done.`);
}

/** As it is stored, in a column of 100 characters. */
const nameOf = (actor: string): string => actor.slice(0, 100);
const isSamePerson = (one: string, other: string): boolean => plain(one) === plain(other);
const plain = (name: string): string => nameOf(name).normalize('NFKC').trim().toLowerCase();

const COLUMNS = 'request_id, kind, subject, detail, status, asked_by, asked_at, decided_by';

const fromRow = (row: Row): MoneyRequest => ({
  requestId: String(row.request_id),
  kind: row.kind as MoneyKind,
  subject: String(row.subject),
  detail: JSON.parse(String(row.detail)) as Detail,
  status: row.status as MoneyRequest['status'],
  askedBy: String(row.asked_by),
  askedAt: String(row.asked_at),
  decidedBy: row.decided_by as string | null,
});

const refused = (sentence: string): AppError => new AppError('INVALID_INPUT', sentence);
