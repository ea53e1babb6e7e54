import { parseArgs } from 'node:util';
import { findDatabase } from './database-url.ts';
import { DatabaseTaskError, type Execute, engineErrno, engineErrorName, executeOverHttp } from './execute.ts';
import { type MigrationState, migrate, migrationStatus } from './migrate.ts';
import { seed } from './seed.ts';

const help = `npm run db -- <command> [--data DIR] [--json]

  migrate   bring the tables up to date; continues where an interrupted run stopped
  status    show each migration: applied, pending, half-applied, or what is wrong with it
  seed      add sample services, notices and products, and with SANDBOX_KEY set the account demo; changes no existing row

Uses the database of DATABASE_URL, otherwise the running "npm run dev" of this checkout (--data: another one).
--json prints one JSON line last. Exit code: 0 done, 1 failed (status: something is wrong), 2 wrong usage.

On PlanetScale a branch with safe migrations refuses changes of tables: migrate a development branch, choose
schema_migrations as the migration table whose rows are copied, and open a deploy request.`;

interface Terminal {
  out(line: string): void;
  err(line: string): void;
}

type CommandOutput = { result: Record<string, unknown>; ok: boolean };

async function run(command: string, execute: Execute, sandbox: boolean, { out }: Terminal): Promise<CommandOutput> {
  switch (command) {
    case 'migrate': {
      const { applied } = await migrate(execute, out);
      if (applied.length === 0) out('nothing to do: every migration is applied');
      return { result: { applied }, ok: true };
    }
    case 'status': {
      const migrations = await migrationStatus(execute);
      for (const migration of migrations) out(statusLine(migration));
      return { result: { migrations }, ok: migrations.every(({ problem }) => problem === null) };
    }
    default:
      return { result: await seed(execute, { sandbox, log: out }), ok: true };
  }
}

function statusLine({ name, state, statementsDone, statements, appliedAt, problem }: MigrationState): string {
  const progress = state === 'half-applied' ? ` (${statementsDone} of ${statements} statements)` : '';
  return `${state.padEnd(12)} ${name}${progress} ${appliedAt ?? ''}${problem === null ? '' : `\n  ${problem}`}`.trimEnd();
}

/** Without the engine's own text, which may quote rows or credentials. */
function sentenceFor(error: unknown): string {
  if (error instanceof DatabaseTaskError) return error.message;
  if (engineErrno(error) === 1146) return 'Tables are missing in this database. Run "npm run db -- migrate" first.';
  return `The database failed: ${engineErrorName(error)}. Check that it runs and that the credentials are correct.`;
}

/** Runs one command line of `npm run db`. Returns the exit code. */
export async function runDatabaseCommand(
  argv: readonly string[],
  terminal: Terminal,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const { out, err } = terminal;
  const options = { help: { type: 'boolean' }, json: { type: 'boolean' }, data: { type: 'string' } } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    err(`${error instanceof Error ? error.message : 'Wrong usage.'}\n\n${help}`);
    return 2;
  }
  const [command, ...rest] = parsed.positionals;
  if (parsed.values.help) {
    out(help);
    return 0;
  }
  if (!command || rest.length > 0 || !['migrate', 'status', 'seed'].includes(command)) {
    err(help);
    return 2;
  }
  try {
    const { databaseUrl, sandbox, foundIn } = findDatabase(environment, parsed.values.data);
    out(`database: ${new URL(databaseUrl).host} (${foundIn})`);
    const { result, ok } = await run(command, executeOverHttp(databaseUrl), sandbox, terminal);
    if (parsed.values.json) out(JSON.stringify(result));
    return ok ? 0 : 1;
  } catch (error) {
    err(sentenceFor(error));
    if (parsed.values.json) out(JSON.stringify({ error: sentenceFor(error) }));
    return 1;
  }
}
