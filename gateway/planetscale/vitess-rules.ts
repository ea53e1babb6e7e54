import { VitessError } from './errors.ts';
import type { Link, ServerAnswer } from './link.ts';
import { tabletOf, type VitessSession } from './session.ts';
import type { Statement } from './statement.ts';
import type { WireResult } from './wire.ts';

/** Throws VitessError for statements that Vitess refuses and MySQL would accept. */
export function refuseUnsupported(session: VitessSession, statement: Statement): void {
  // MariaDB accepts RETURNING, MySQL and PlanetScale do not.
  if (statement.unsupported === 'RETURNING') {
    throw new VitessError(undefined, "syntax error near 'returning'");
  }
  if (statement.unsupported !== undefined) {
    throw new VitessError(undefined, `VT12001: unsupported: ${statement.unsupported}`);
  }
  // The next statement may run on another connection, where the setting would be missing.
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

/**
 * Runs the statement. LAST_INSERT_ID() returns the value of the session, because each statement may use another
 * connection.
 */
export async function runOn(link: Link, session: VitessSession, statement: Statement): Promise<ServerAnswer> {
  if (statement.asksLastInsertId) await link.run(`SET @@last_insert_id = ${BigInt(session.lastInsertId ?? '0')}`);
  return link.run(statement.sql);
}

/**
 * Stores the counts and the insert id in the session. Returns the answer in psdb's form, which leaves out zero and
 * empty values.
 */
export function recordAnswer(session: VitessSession, answer: ServerAnswer): WireResult {
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
