import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { runDatabaseCommand } from '../../db/command.ts';
import { executeOverHttp } from '../../db/execute.ts';
import { migrate, migrationStatus } from '../../db/migrate.ts';
import { readMigrations } from '../../db/migration-files.ts';
import type { GatewayFault } from '../../gateway/faults.ts';
import { type PlanetscaleGateway, startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { freshDatabase } from '../support/engines.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const password = 'pscale_pw_never_print_me';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let gateway: PlanetscaleGateway;
let fault: (request: { sql?: string }) => GatewayFault | undefined;
beforeAll(async () => {
  folder = await temporaryFolder('db-command');
});
afterAll(() => folder.remove());
beforeEach(async () => {
  fault = () => undefined;
  database = await freshDatabase('command');
  const { host, port, user, password: secret, database: name } = database;
  gateway = await startPlanetscaleGateway({
    primary: { host, port, user, password: secret, database: name },
    username: 'tester',
    password,
    intercept: (request) => fault(request),
  });
});
afterEach(async () => {
  await gateway.stop();
  await database.drop();
});

type Run = { code: number; stdout: string; stderr: string };

const noSecretIn = (run: Run): Run => {
  expect(run.stdout + run.stderr, 'the output contains no password').not.toContain(password);
  return run;
};

/** `npm run db -- ...` in this process, because a new process takes a second. */
async function db(argv: string[], environment: Record<string, string> = {}): Promise<Run> {
  const [out, err]: [string[], string[]] = [[], []];
  const terminal = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
  const code = await runDatabaseCommand(argv, terminal, environment);
  return noSecretIn({ code, stdout: out.join('\n'), stderr: err.join('\n') });
}

function dbInTerminal(argv: string[], environment: Record<string, string>): Promise<Run> {
  const options = { cwd: checkout, env: { PATH: process.env.PATH, ...environment } };
  return new Promise((resolve) => {
    execFile(process.execPath, ['build/tool.mjs', 'db/main.ts', ...argv], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

const lastLine = ({ stdout }: Run): unknown => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');

test('migrates, shows and seeds the database that the environment names', async () => {
  const environment = { DATABASE_URL: gateway.url };
  const names = readMigrations().map(({ name }) => name);

  const early = await db(['seed'], environment);
  expect(early).toMatchObject({ code: 1, stderr: expect.stringContaining('npm run db -- migrate') });
  const migrated = await db(['migrate', '--json'], environment);
  expect({ code: migrated.code, json: lastLine(migrated) }).toEqual({ code: 0, json: { applied: names } });
  const status = await db(['status'], environment);
  expect(status.stdout).toMatch(/applied +0001_identity.sql \d{4}-\d\d-\d\dT/);
  expect(status.code).toBe(0);
  const seeded = await db(['seed', '--json'], environment);
  expect(lastLine(seeded)).toEqual({ services: 1200, notices: 1000, products: 6, items: 2, demoUserId: null });
  expect(seeded.code).toBe(0);
  const rows = await executeOverHttp(gateway.url)('SELECT name FROM services WHERE id = 1');
  expect(rows).toEqual([{ name: '江畔·上门保洁（体验）' }]);
});

test('a command typed in a terminal prints its answer and ends with its exit code', async () => {
  const status = noSecretIn(await dbInTerminal(['status', '--json'], { DATABASE_URL: gateway.url }));
  expect(status).toMatchObject({ code: 0, stdout: expect.stringMatching(/^database: .* \(DATABASE_URL\)$/m) });
  expect(lastLine(status)).toMatchObject({ migrations: readMigrations().map(({ name }) => ({ name })) });
  expect(await dbInTerminal(['mirgate'], {})).toMatchObject({ code: 2, stdout: '' });
});

test('without an environment it works on the running dev server, with the sandbox', async () => {
  await writeFile(join(folder.path, 'state.json'), JSON.stringify({ databaseUrl: gateway.url, sandbox: true }));
  expect((await db(['migrate', '--data', folder.path])).code).toBe(0);
  const seeded = await db(['seed', '--data', folder.path, '--json']);
  expect(lastLine(seeded)).toMatchObject({ demoUserId: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/) });
});

test('one sentence says what is wrong: no database, no answer, a wrong password or an unknown command', async () => {
  const nowhere = await db(['migrate', '--data', join(folder.path, 'none'), '--json']);
  expect(nowhere).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Start "npm run dev", or set DATABASE_URL'),
  });
  expect(lastLine(nowhere)).toMatchObject({ error: expect.stringContaining('No database found') });

  const wrong = await db(['status'], { DATABASE_URL: gateway.url.replace(password, 'pscale_pw_other') });
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('HTTP 401') });
  const silent = await db(['status'], { DATABASE_URL: 'http://127.0.0.1:9' });
  expect(silent).toMatchObject({ code: 1, stderr: expect.stringContaining('no answer') });

  expect((await db(['mirgate'])).code).toBe(2);
  expect((await db(['migrate', '--fast'])).code).toBe(2);
  expect(await db(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('npm run db -- <command>') });
});

test('status fails when a migration was changed after it ran', async () => {
  await migrate(executeOverHttp(gateway.url));
  await executeOverHttp(gateway.url)("UPDATE schema_migrations SET checksum = 'x' WHERE name = '0001_identity.sql'");
  const status = await db(['status'], { DATABASE_URL: gateway.url });
  expect(status).toMatchObject({ code: 1, stdout: expect.stringContaining('0001_identity.sql was changed') });
});

test('over HTTP, after a lost answer to any statement of the schema, running migrate again completes it', async () => {
  const execute = executeOverHttp(gateway.url);
  const lost = new Set<string>();
  fault = ({ sql }) => {
    if (!sql || lost.has(sql) || !/^(CREATE|ALTER|UPDATE|INSERT)/.test(sql) || sql.includes('schema_migration'))
      return undefined;
    lost.add(sql);
    return { kind: 'drop-after' };
  };
  let runs = 0;
  for (let applied = false; !applied; runs += 1) {
    applied = await migrate(execute).then(
      () => true,
      () => false,
    );
  }
  expect(runs).toBe(readMigrations().flatMap(({ statements }) => statements).length + 1);
  expect((await migrationStatus(execute)).map(({ state }) => state)).toEqual(readMigrations().map(() => 'applied'));
});
