import type { Execute } from './execute.ts';

export type SqlValue = string | number;

const ROWS_PER_STATEMENT = 200;

/**
 * Inserts rows whose keys do not exist and leaves all others unchanged. INSERT IGNORE is not used, because it also
 * accepts a text that is cut off and a number out of range. `version = version` changes nothing, nor updated_at.
 */
export async function insertMissing(
  execute: Execute,
  table: string,
  columns: readonly string[],
  rows: readonly SqlValue[][],
): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    const batch = rows.slice(start, start + ROWS_PER_STATEMENT);
    const placeholders = batch.map((row) => `(${row.map(() => '?').join(', ')})`).join(', ');
    await execute(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${placeholders} ON DUPLICATE KEY UPDATE version = version`,
      batch.flat(),
    );
  }
}
