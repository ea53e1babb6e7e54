import { query, type SqlValue, write } from './db.ts';

/** The operator log: one row for each change by an operator, in the transaction of the change if there is one. */
export interface OperatorChange {
  /** The operator's user name on the machine where the command ran. */
  actor: string;
  /** Such as `app.disable` or `lock.set`. */
  action: string;
  /** What was changed: an AppID, a lock target, an order number. */
  subject: string;
  /** Further facts. Never a secret. */
  detail?: Record<string, unknown>;
}

export const operatorLogStatement = ({ actor, action, subject, detail = {} }: OperatorChange): [string, SqlValue[]] => [
  'INSERT INTO audit_log (actor, action, subject, detail) VALUES (?, ?, ?, ?)',
  [actor.slice(0, 100), action, subject.slice(0, 200), JSON.stringify(detail)],
];

/** Writes one row outside a transaction. Throws EngineError. */
export async function logChange(change: OperatorChange): Promise<void> {
  await write(...operatorLogStatement(change));
}

interface LoggedChange extends Required<OperatorChange> {
  /** RFC 3339. */
  at: string;
}

/** The newest changes first; all, or those of one subject. Throws EngineError. */
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
