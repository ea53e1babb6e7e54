import { VitessError } from './errors.ts';
import type { Link, ServerAnswer } from './link.ts';
import { tabletOf, type VitessSession } from './session.ts';
import type { Statement } from './statement.ts';
import type { WireResult } from './wire.ts';

/** What Vitess refuses, and what it keeps in a session, where MySQL alone would act otherwise. */
export function refuseUnsupported(session: VitessSession, statement: Statement): void {
  // MariaDB would run it, and the same code would fail on the first day in production.
  if (statement.unsupported === 'RETURNING') {
    throw new VitessError(undefined, "syntax error near 'returning'");
  }
  if (statement.unsupported !== undefined) {
    throw new VitessError(undefined, `VT12001: unsupported: ${statement.unsupported}`);
  }
  // A setting would be lost with the connection; better to refuse it than to pretend that it holds.
  const harmless = /^set (?:@(?!@)|names |charset |character set )/i;
  if (statement.kind === 'set' && !session.inTransaction && !harmless.test(statement.bare)) {
    throw new VitessError(undefined, 'VT12001: unsupported: SET of a system variable outside a transaction');
  }
  if (tabletOf(session) !== 'replica') return;
  if (statement.kind === 'write') {
    throw new VitessError(undefined, `VT09002: ${statement.verb} statement with a replica target`);
  }
  if (statement.kind === 'definition') {
    throw new VitessError(undefined, 'supported only for primary tablet type, current type: replica');
  }
}

/** LAST_INSERT_ID() follows the session, not the connection that happens to serve it. */
export async function runOn(link: Link, session: VitessSession, statement: Statement): Promise<ServerAnswer> {
  if (statement.asksLastInsertId) await link.run(`SET @@last_insert_id = ${BigInt(session.lastInsertId ?? '0')}`);
  return link.run(statement.sql);
}

/** What the answer leaves in the session, and the answer as psdb writes it: what is zero or empty is left out. */
export function settle(session: VitessSession, answer: ServerAnswer): WireResult {
  if (answer.fields) {
    session.foundRows = String(answer.rows.length);
    session.rowCount = '-1';
    return answer.rows.length > 0 ? { fields: answer.fields, rows: answer.rows } : { fields: answer.fields };
  }
  session.rowCount = String(answer.affectedRows);
  const result: WireResult = {};
  if (answer.affectedRows > 0) result.rowsAffected = String(answer.affectedRows);
  if (answer.insertId !== '0') {
    session.lastInsertId = answer.insertId;
    result.insertId = answer.insertId;
  }
  return result;
}
