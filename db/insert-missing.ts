import type { Execute } from './execute.ts';

export type SqlValue = string | number;

const ROWS_PER_STATEMENT = 200;

/**
 * Inserts rows whose keys are free and leaves all others untouched. Not INSERT IGNORE, which would also swallow a text
 * cut short or a number out of range; `version = version` changes nothing and does not move updated_at.
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
