import { parseArgs } from 'node:util';
import { compareStages, DeploymentError, recordedStage, recordStage, replaceStage } from '../shared/deployment.ts';
import { findDatabase, type Target } from './database-url.ts';
import { DatabaseTaskError, type Execute, engineErrno, engineErrorName, executeOverHttp } from './execute.ts';
import { type MigrationState, migrate, migrationStatus } from './migrate.ts';
import { secondLook, type Terminal } from './second-look.ts';
import { seed } from './seed.ts';

const help = `npm run db -- <command> [--data DIR] [--json]

  migrate   bring the tables up to date; continues where an interrupted run stopped. Records STAGE in the database
  status    show each migration: applied, pending, half-applied, or what is wrong with it
  seed      add sample services, notices, products and items, and with SANDBOX_KEY set the account demo; changes no existing row
  stage     show the stage that is recorded; --set NAME replaces it, for a copy of another stage's database

Uses the database of DATABASE_URL, otherwise the running "npm run dev" of this checkout (--data: another one). A database
that belongs to another stage than STAGE is refused. --yes skips the question that --set asks on a terminal.
--json prints one JSON line last. Exit code: 0 done, 1 failed (status: something is wrong), 2 wrong usage.

On PlanetScale a branch with safe migrations refuses changes of tables: migrate a development branch, choose
schema_migrations as the migration table whose rows are copied, and open a deploy request.`;

const options = {
  help: { type: 'boolean' },
  json: { type: 'boolean' },
  yes: { type: 'boolean' },
  data: { type: 'string' },
  set: { type: 'string' },
} as const;
type Options = ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];

type CommandOutput = { result: Record<string, unknown>; ok: boolean };
type Command = (execute: Execute, target: Target, given: Options, terminal: Terminal) => Promise<CommandOutput>;

const commands: Record<string, Command> = {
  async migrate(execute, { stage }, _, { out }) {
    const before = await stageOf(execute);
    if (before !== null && stage !== undefined) compareStages(before, stage);
    const { applied } = await migrate(execute, out);
    if (applied.length === 0) out('nothing to do: every migration is applied');
    if (stage !== undefined) await recordStage(execute, stage);
    const recorded = await stageOf(execute);
    out(
      recorded === null
        ? 'no stage is recorded, because STAGE is not set: STAGE=<stage> npm run db -- migrate records it'
        : `stage: ${recorded}`,
    );
    return { result: { applied }, ok: true };
  },
  async status(execute, _target, _given, { out }) {
    const migrations = await migrationStatus(execute);
    for (const migration of migrations) out(statusLine(migration));
    return { result: { migrations }, ok: migrations.every(({ problem }) => problem === null) };
  },
  async seed(execute, { stage, sandbox }, _, { out }) {
    const recorded = await stageOf(execute);
    if (recorded !== null) compareStages(recorded, stage);
    return { result: await seed(execute, { sandbox, log: out }), ok: true };
  },
  async stage(execute, _target, { set, yes = false }, terminal) {
    const recorded = await stageOf(execute);
    if (set === undefined || set === recorded) {
      terminal.out(recorded ?? 'no stage is recorded');
      return { result: { stage: recorded }, ok: true };
    }
    const summary = [
      `The database will belong to stage ${set}, and no longer to ${recorded ?? 'an unknown stage'}.`,
      'Do this only to a copy: tools and servers of the former stage refuse to work on it afterwards.',
    ];
    if (!(await secondLook(summary, yes, terminal))) throw new DatabaseTaskError('Nothing was changed.');
    await replaceStage(execute, set);
    terminal.out(set);
    return { result: { stage: set }, ok: true };
  },
};

/** null: no stage is recorded, or the tables are missing. */
async function stageOf(execute: Execute): Promise<string | null> {
  try {
    return await recordedStage(execute);
  } catch (error) {
    if (engineErrno(error) === NO_SUCH_TABLE) return null;
    throw error;
  }
}

function statusLine({ name, state, statementsDone, statements, appliedAt, problem }: MigrationState): string {
  const progress = state === 'half-applied' ? ` (${statementsDone} of ${statements} statements)` : '';
  return `${state.padEnd(12)} ${name}${progress} ${appliedAt ?? ''}${problem === null ? '' : `\n  ${problem}`}`.trimEnd();
}

const NO_SUCH_TABLE = 1146;

/** Without the engine's own text, which may quote rows or credentials. */
function sentenceFor(error: unknown): string {
  if (error instanceof DatabaseTaskError || error instanceof DeploymentError) return error.message;
  if (engineErrno(error) === NO_SUCH_TABLE)
    return 'Tables are missing in this database. Run "npm run db -- migrate" first.';
  return `The database failed: ${engineErrorName(error)}. Check that it runs and that the credentials are correct.`;
}

/** Runs one command line of `npm run db`. Returns the exit code. */
export async function runDatabaseCommand(
  argv: readonly string[],
  terminal: Terminal,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const { out, err } = terminal;
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
  const run = command !== undefined && Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (!run || rest.length > 0 || (parsed.values.set !== undefined && command !== 'stage')) {
    err(help);
    return 2;
  }
  try {
    const target = findDatabase(environment, parsed.values.data);
    out(`database: ${new URL(target.databaseUrl).host} (${target.foundIn})`);
    const { result, ok } = await run(executeOverHttp(target.databaseUrl), target, parsed.values, terminal);
    if (parsed.values.json) out(JSON.stringify(result));
    return ok ? 0 : 1;
  } catch (error) {
    err(sentenceFor(error));
    if (parsed.values.json) out(JSON.stringify({ error: sentenceFor(error) }));
    return 1;
  }
}
