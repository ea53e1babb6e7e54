/**
 * Splits a SQL file at its semicolons, because the HTTP protocol takes one statement for each call. It understands
 * quotes ('', "", ``) and comments (--, #, block). It drops comments and keeps executable ones (/*! and /*+). DELIMITER
 * is not supported: migrations must also run on Vitess, so they have no stored routines.
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let statement = '';
  let at = 0;
  const finish = () => {
    if (statement.trim() !== '') statements.push(statement.trim());
    statement = '';
  };
  while (at < sql.length) {
    const char = sql.charAt(at);
    const commentEnd = endOfComment(sql, at);
    if (commentEnd !== null) {
      statement += ' ';
      at = commentEnd;
    } else if (char === "'" || char === '"' || char === '`') {
      const end = endOfQuoted(sql, at);
      statement += sql.slice(at, end);
      at = end;
    } else {
      if (char === ';') finish();
      else statement += char;
      at += 1;
    }
  }
  finish();
  return statements;
}

/** Where the comment that starts at `start` ends; null: no comment starts there. */
function endOfComment(sql: string, start: number): number | null {
  if (sql[start] === '#' || /^--(\s|$)/.test(sql.slice(start, start + 3))) {
    const lineEnd = sql.indexOf('\n', start);
    return lineEnd === -1 ? sql.length : lineEnd;
  }
  if (!sql.startsWith('/*', start) || sql[start + 2] === '!' || sql[start + 2] === '+') return null;
  const end = sql.indexOf('*/', start + 2);
  if (end === -1) throw new SyntaxError('a block comment is not closed');
  return end + 2;
}

function endOfQuoted(sql: string, start: number): number {
  const quote = sql.charAt(start);
  for (let at = start + 1; at < sql.length; at += 1) {
    if (sql[at] === '\\' && quote !== '`') at += 1;
    else if (sql[at] === quote && sql[at + 1] === quote) at += 1;
    else if (sql[at] === quote) return at + 1;
  }
  throw new SyntaxError(`a text that begins with ${quote} is not closed`);
}
