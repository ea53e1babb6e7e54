import { DatabaseTaskError, type Execute, engineErrno, engineErrorName } from './execute.ts';
import { withMigrationClaim } from './migration-claim.ts';
import { checksum, type Migration, readMigrations } from './migration-files.ts';

export type MigrationState = {
  name: string;
  state: 'applied' | 'half-applied' | 'pending' | 'changed' | 'out-of-order' | 'file-missing';
  statementsDone: number;
  /** null: the file is missing. */
  statements: number | null;
  /** RFC 3339; null: not applied, or only in part. */
  appliedAt: string | null;
  /** A sentence that says what to do; null: nothing is wrong. */
  problem: string | null;
};

type Progress = {
  name: string;
  checksum: string;
  statementsDone: number;
  begun: string | null;
  appliedAt: string | null;
};

const NO_SUCH_TABLE = 1146;
/** CREATE or ADD of something that exists (1050, 1060, 1061, 1062), DROP of something that does not (1051, 1091). */
const ALREADY_DONE = new Set([1050, 1051, 1060, 1061, 1062, 1091]);
/** Shutdown, an error of Vitess itself, a killed or timed-out statement: the statement may have been applied. */
const OUTCOME_UNKNOWN = new Set([1053, 1105, 1317, 1969, 3024]);

/**
 * Brings the schema up to date. DDL cannot be rolled back, so progress is written before and after each statement. A
 * run that crashed is continued at the statement where it stopped; "already exists" counts as done for this statement
 * only. Therefore a statement that changes data must be safe to run twice. Throws DatabaseTaskError that says what to
 * do.
 */
export async function migrate(
  execute: Execute,
  log: (line: string) => void = () => {},
  migrations: Migration[] = readMigrations(),
): Promise<{ applied: string[] }> {
  return withMigrationClaim(execute, log, async (hold) => {
    await execute(`CREATE TABLE IF NOT EXISTS schema_migrations (
      name VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      checksum CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SHA-256 of the statements done',
      statements_done INT UNSIGNED NOT NULL DEFAULT 0,
      statement_begun CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'SHA-256 of the one that may have run',
      applied_at TIMESTAMP(3) NULL DEFAULT NULL COMMENT 'NULL: stopped half-way',
      PRIMARY KEY (name)
    ) DEFAULT CHARSET = utf8mb4`);
    const recorded = await readProgress(execute);
    const problems = compare(migrations, recorded).flatMap(({ problem }) => problem ?? []);
    if (problems.length > 0) throw new DatabaseTaskError(`${problems.join('\n')}\nNothing was run.`);

    const applied: string[] = [];
    for (const migration of migrations) {
      const progress = recorded.get(migration.name);
      if (progress?.appliedAt) continue;
      await applyMigration(execute, hold, migration, progress);
      applied.push(migration.name);
      log(`applied ${migration.name}`);
    }
    return { applied };
  });
}

/** The state of each migration, also of recorded ones without a file. Writes nothing, also on an empty database. */
export async function migrationStatus(
  execute: Execute,
  migrations: Migration[] = readMigrations(),
): Promise<MigrationState[]> {
  return compare(migrations, await readProgress(execute));
}

async function applyMigration(
  execute: Execute,
  hold: () => Promise<void>,
  { name, statements }: Migration,
  progress: Progress | undefined,
): Promise<void> {
  if (!progress) {
    await execute('INSERT INTO schema_migrations (name, checksum) VALUES (?, ?)', [name, checksum([])]);
  }
  const start = progress?.statementsDone ?? 0;
  for (const [position, statement] of statements.entries()) {
    if (position < start) continue;
    const fingerprint = checksum([statement]);
    const mayHaveRun = position === start && progress?.begun === fingerprint;
    if (!mayHaveRun) await markBegun(execute, name, fingerprint);
    await hold();
    try {
      await execute(statement);
    } catch (error) {
      const errno = engineErrno(error);
      if (!(mayHaveRun && errno !== null && ALREADY_DONE.has(errno))) {
        if (wasRefused(errno)) await markBegun(execute, name, null);
        throw new DatabaseTaskError(explainFailure(name, position, statement, error));
      }
    }
    const done = position + 1;
    await execute(
      `UPDATE schema_migrations SET statements_done = ?, checksum = ?, statement_begun = NULL,
         applied_at = ${done === statements.length ? 'NOW(3)' : 'NULL'} WHERE name = ?`,
      [done, checksum(statements.slice(0, done)), name],
    );
  }
  if (start === statements.length) {
    await execute('UPDATE schema_migrations SET applied_at = NOW(3) WHERE name = ?', [name]);
  }
}

async function markBegun(execute: Execute, name: string, fingerprint: string | null): Promise<void> {
  await execute('UPDATE schema_migrations SET statement_begun = ? WHERE name = ?', [fingerprint, name]);
}

function wasRefused(errno: number | null): boolean {
  return errno !== null && !OUTCOME_UNKNOWN.has(errno) && !(errno >= 2000 && errno < 3000);
}

function explainFailure(name: string, position: number, statement: string, error: unknown): string {
  const firstLine = statement.split('\n', 1)[0]?.slice(0, 80);
  const where = `${name}, statement ${position + 1} (${firstLine}): ${engineErrorName(error)}.`;
  switch (engineErrno(error)) {
    case 1050:
      return `${where} A table of this name exists, and no migration created it. Rename or drop it, then run migrate again.`;
    case 1044:
    case 1045:
    case 1142:
      return `${where} This login is not allowed to change the schema. Use another login, then run migrate again.`;
    case 1064:
      return `${where} The engine cannot parse the statement. Correct it in the file, then run migrate again.`;
    case null:
      return `${where} It is unknown whether it ran. Run migrate again: it continues at this statement.`;
    default:
      return `${where} Earlier statements stay applied. Fix the cause, then run migrate again: it continues at this statement.`;
  }
}

async function readProgress(execute: Execute): Promise<Map<string, Progress>> {
  try {
    const rows = await execute(
      `SELECT name, checksum, statements_done, statement_begun,
         CAST(UNIX_TIMESTAMP(applied_at) * 1000 AS SIGNED) AS applied_ms FROM schema_migrations ORDER BY name`,
    );
    const progress = rows.map((row) => ({
      name: String(row.name),
      checksum: String(row.checksum),
      statementsDone: Number(row.statements_done),
      begun: row.statement_begun === null ? null : String(row.statement_begun),
      appliedAt: row.applied_ms === null ? null : new Date(Number(row.applied_ms)).toISOString(),
    }));
    return new Map(progress.map((row) => [row.name, row]));
  } catch (error) {
    if (engineErrno(error) === NO_SUCH_TABLE) return new Map();
    throw error;
  }
}

function compare(migrations: Migration[], recorded: Map<string, Progress>): MigrationState[] {
  const newest = [...recorded.keys()].at(-1) ?? '';
  const known = new Set(migrations.map(({ name }) => name));
  const present = migrations.map(({ name, statements }) => stateOf(name, statements, recorded.get(name), newest));
  const gone = [...recorded.values()].filter(({ name }) => !known.has(name));
  const missing = gone.map(({ name, statementsDone, appliedAt }): MigrationState => {
    const problem = `${name} is applied here, but its file is missing. Restore the file, or deploy the version that has it.`;
    return { name, state: 'file-missing', statementsDone, statements: null, appliedAt, problem };
  });
  return [...present, ...missing].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function stateOf(name: string, statements: string[], row: Progress | undefined, newest: string): MigrationState {
  const base = { name, statementsDone: row?.statementsDone ?? 0, statements: statements.length };
  const appliedAt = row?.appliedAt ?? null;
  if (!row) {
    if (name > newest) return { ...base, state: 'pending', appliedAt, problem: null };
    const problem = `${name} is new, but ${newest} is already applied here. Give it a number above ${newest.slice(0, 4)}.`;
    return { ...base, state: 'out-of-order', appliedAt, problem };
  }
  const sameText = row.checksum === checksum(statements.slice(0, row.statementsDone));
  const sameLength = appliedAt === null || statements.length === row.statementsDone;
  if (sameText && sameLength && statements.length >= row.statementsDone) {
    return { ...base, state: appliedAt ? 'applied' : 'half-applied', appliedAt, problem: null };
  }
  const problem = `${name} was changed after its statements ran here. Restore its text and write a new migration instead.`;
  return { ...base, state: 'changed', appliedAt, problem };
}
