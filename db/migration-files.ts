import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DatabaseTaskError } from './execute.ts';
import { splitStatements } from './sql-statements.ts';

export type Migration = { name: string; statements: string[] };

const projectFolder = fileURLToPath(new URL('./migrations/', import.meta.url));

/** The migrations of a folder in the order of their numbers, each split into statements. */
export function readMigrations(folder: string = projectFolder): Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort();
  return names.map((name, position) => {
    if (!/^\d{4}_[a-z0-9_]{1,80}\.sql$/.test(name)) {
      throw new DatabaseTaskError(`${name}: name a migration NNNN_what_it_does.sql (lower case, four digits first).`);
    }
    if (names[position - 1]?.slice(0, 4) === name.slice(0, 4)) {
      throw new DatabaseTaskError(
        `${name}: its number is already used by ${names[position - 1]}. Give it the next free one.`,
      );
    }
    return { name, statements: statementsOf(name, readFileSync(`${folder}/${name}`, 'utf8')) };
  });
}

/**
 * SHA-256 of the statements without comments and line ends: a comment may be corrected later, a statement may not. For
 * a migration that stopped in the middle, only the part that ran is compared, so that the rest can be corrected.
 */
export function checksum(statements: string[]): string {
  return createHash('sha256').update(JSON.stringify(statements)).digest('hex');
}

function statementsOf(name: string, text: string): string[] {
  try {
    const statements = splitStatements(text.replaceAll('\r\n', '\n'));
    if (statements.length === 0) throw new SyntaxError('it has no statement');
    return statements;
  } catch (error) {
    if (error instanceof SyntaxError) throw new DatabaseTaskError(`${name}: ${error.message}. Nothing was run.`);
    throw error;
  }
}
