import { optionalInteger } from '../config.ts';
import { query, type Row } from '../db.ts';
import { AppError } from '../errors.ts';
import { nameForm } from '../visible-text.ts';
import { changeOnce, nameOf } from './logged-change.ts';
import { type Detail, MOVEMENTS, type MoneyKind } from './money-movements.ts';
import { moneyRequestNumber } from './numbers.ts';

/**
 * Movements of money by operators that need a second person: open -> approved | rejected. What is approved is
 * executed exactly once: the key of the movement is the number of its request. On the command line the name
 * of the operator is believed, so this protects against mistakes and not against fraud.
 */
export interface MoneyRequest {
  requestId: string;
  kind: MoneyKind;
  /** An order, or a wallet: `<AppID>/<userId>`. */
  subject: string;
  detail: Detail;
  status: 'open' | 'approved' | 'rejected';
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
    `SELECT ${COLUMNS} FROM money_requests WHERE status = 'open' ORDER BY asked_at LIMIT ${limit}`,
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
 * Executes a request, by another person than the one who asked. The transaction of the movement also approves the
 * request, so it can be typed again after a crash, and by several persons at once: one movement is made. A movement that
 * is refused leaves the request open. Throws NOT_FOUND, INVALID_INPUT, and what the movement throws.
 */
export async function approveRequest(
  requestId: string,
  actor: string,
): Promise<{ request: MoneyRequest; result: Detail }> {
  const request = await knownRequest(requestId);
  checkDecidable(request, actor);
  const { kind, detail, askedBy } = request;
  const result = await MOVEMENTS[kind].execute(detail, { actor, requestId, askedBy });
  // The same movement was made before, under a key of its own: then there was nothing to execute.
  await decide(request, 'approved', actor);
  return { request: await knownRequest(requestId), result };
}

/** Ends a request without a movement; the person who asked may do it, too. Throws NOT_FOUND, INVALID_INPUT. */
export async function rejectRequest(requestId: string, actor: string): Promise<MoneyRequest> {
  await decide(await knownRequest(requestId), 'rejected', actor);
  const request = await knownRequest(requestId);
  if (request.status === 'rejected') return request;
  throw refused(`Request ${requestId} was approved by ${request.decidedBy}.`);
}

/** Nothing happens if the request is not open any more. */
const decide = (
  { requestId, kind, subject, askedBy }: MoneyRequest,
  status: 'approved' | 'rejected',
  actor: string,
): Promise<boolean> =>
  changeOnce(
    "UPDATE money_requests SET status = ?, decided_by = ?, decided_at = NOW(3) WHERE request_id = ? AND status = 'open'",
    [status, nameOf(actor), requestId],
    { actor, action: `recharge.${ACTION[status]}`, subject, detail: { requestId, kind, askedBy } },
  );
const ACTION = { approved: 'approve', rejected: 'reject' };

function checkDecidable({ requestId, status, askedBy, decidedBy }: MoneyRequest, actor: string): void {
  if (status === 'rejected') throw refused(`Request ${requestId} was rejected by ${decidedBy}.`);
  if (isSamePerson(askedBy, actor))
    throw refused(`You (${actor}) asked for request ${requestId}: another person has to approve it. Nothing was done.`);
}

const isSamePerson = (one: string, other: string): boolean => nameForm(nameOf(one)) === nameForm(nameOf(other));

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
