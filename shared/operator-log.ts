import { query, type SqlValue, write } from './db.ts';

/** Who changed what: one row for each change an operator makes, in the change's own transaction where it has one. */
export interface OperatorChange {
  /** Who did it, as the operator's machine names him. */
  actor: string;
  /** `app.disable`, `lock.set`. */
  action: string;
  /** What it was done to: an AppID, a lock target, an order number. */
  subject: string;
  /** What else is to be known. Never a secret. */
  detail?: Record<string, unknown>;
}

export const operatorLogStatement = ({ actor, action, subject, detail = {} }: OperatorChange): [string, SqlValue[]] => [
  'INSERT INTO audit_log (actor, action, subject, detail) VALUES (?, ?, ?, ?)',
  [actor.slice(0, 100), action, subject.slice(0, 200), JSON.stringify(detail)],
];

export async function logChange(change: OperatorChange): Promise<void> {
  await write(...operatorLogStatement(change));
}

interface LoggedChange extends Required<OperatorChange> {
  /** RFC 3339. */
  at: string;
}

/** The latest first. */
export async function listChanges(options: { subject?: string | undefined; limit: number }): Promise<LoggedChange[]> {
  const { subject, limit } = options;
  const rows = await query(
    `SELECT at, actor, action, subject, detail FROM audit_log
      ${subject === undefined ? '' : 'WHERE subject = ?'} ORDER BY id DESC LIMIT ?`,
    [...(subject === undefined ? [] : [subject]), limit],
  );
  return rows.map(({ at, actor, action, subject: of, detail }) => ({
    at: String(at),
    actor: String(actor),
    action: String(action),
    subject: String(of),
    detail: (typeof detail === 'string' ? JSON.parse(detail) : detail) as Record<string, unknown>,
  }));
}
