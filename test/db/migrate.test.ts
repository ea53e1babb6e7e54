import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Execute } from '../../db/execute.ts';
import { migrate, migrationStatus } from '../../db/migrate.ts';
import { type Migration, readMigrations } from '../../db/migration-files.ts';
import { freshExecute } from '../support/mysql-execute.ts';

const quiet = () => {};
const small: Migration[] = [
  {
    name: '0001_first.sql',
    statements: [
      'CREATE TABLE cups (id INT NOT NULL, PRIMARY KEY (id))',
      'ALTER TABLE cups ADD COLUMN size INT NULL, ADD KEY cups_size (size)',
      'INSERT INTO cups (id, size) VALUES (1, 2)',
    ],
  },
  {
    name: '0002_second.sql',
    statements: ['DROP TABLE cups', 'CREATE TABLE plates (id INT NOT NULL, PRIMARY KEY (id))'],
  },
];

let database: Awaited<ReturnType<typeof freshExecute>>;
let execute: Execute;
beforeAll(async () => {
  database = await freshExecute('migrate');
  execute = database.execute;
});
afterAll(() => database.close());
async function dropTables(): Promise<void> {
  for (const row of await execute('SHOW TABLES')) await execute(`DROP TABLE \`${Object.values(row)[0]}\``);
}
beforeEach(dropTables);

/** The schema and the recorded migrations, without times. */
async function picture(): Promise<unknown> {
  const tables = (await execute('SHOW TABLES')).map((row) => String(Object.values(row)[0]));
  const schema = await Promise.all(tables.map(async (table) => (await execute(`SHOW CREATE TABLE ${table}`))[0]));
  const recorded =
    'SELECT name, checksum, statements_done, statement_begun, applied_at IS NULL AS open FROM schema_migrations';
  return { schema, recorded: await execute(`${recorded} ORDER BY name`) };
}

/** A process that crashes after the engine has applied its call number `fatal`, before it gets the answer. */
function dying(fatal: number): Execute {
  let calls = 0;
  return async (sql, parameters) => {
    calls += 1;
    if (calls > fatal) throw new Error('the process crashed');
    const rows = await execute(sql, parameters);
    if (calls === fatal) throw new Error('the process crashed');
    return rows;
  };
}

/** Ends the claim of a crashed process, as one minute does. */
const minutePasses = () =>
  execute("UPDATE schema_migration_claim SET ends_at = '2020-01-01 00:00:00'").catch(() => 'no claim was made yet');

test('applies every migration of the project once, in order', async () => {
  const names = readMigrations().map(({ name }) => name);
  expect(await migrate(execute)).toEqual({ applied: names });
  expect(await migrate(execute)).toEqual({ applied: [] });
  const states = await migrationStatus(execute);
  expect(states.map(({ name, state }) => [name, state])).toEqual(names.map((name) => [name, 'applied']));
  expect(Math.abs(Date.parse(states[0]?.appliedAt ?? '') - Date.now())).toBeLessThan(300_000);
});

test('status writes nothing to an empty database', async () => {
  expect((await migrationStatus(execute)).every(({ state }) => state === 'pending')).toBe(true);
  expect(await execute('SHOW TABLES')).toEqual([]);
});

test('the next run completes a run that crashed after any of its calls', async () => {
  let calls = 0;
  const counting: Execute = (sql, parameters) => {
    calls += 1;
    return execute(sql, parameters);
  };
  await migrate(counting, quiet, small);
  const undisturbed = await picture();
  for (let fatal = 1; fatal < calls; fatal += 1) {
    await dropTables();
    await migrate(dying(fatal), quiet, small).catch(() => 'died');
    await minutePasses();
    await migrate(execute, quiet, small);
    expect(await picture(), `crashed at call ${fatal}`).toEqual(undisturbed);
  }
}, 120_000);

test('the project schema is complete after a crash at each of its statements', async () => {
  const migrations = readMigrations();
  await migrate(execute);
  const undisturbed = await picture();
  await dropTables();

  const statements = new Set(migrations.flatMap((migration) => migration.statements));
  const ran = new Set<string>();
  const diesAfterNextNewStatement: () => Execute = () => {
    let dead = false;
    return async (sql, parameters) => {
      if (dead) throw new Error('the process crashed');
      const rows = await execute(sql, parameters);
      if (statements.has(sql) && !ran.has(sql)) {
        ran.add(sql);
        dead = true;
        throw new Error('the process crashed');
      }
      return rows;
    };
  };
  for (let run = 0; run < statements.size; run += 1) {
    await expect(migrate(diesAfterNextNewStatement())).rejects.toThrow('It is unknown whether it ran');
    await minutePasses();
  }
  await migrate(execute);
  expect(ran.size).toBe(statements.size);
  expect(await picture()).toEqual(undisturbed);
}, 120_000);

test('of five migrations at once one runs, the others wait and find nothing to do', async () => {
  const ran: string[] = [];
  const watched: Execute = (sql, parameters) => {
    if (small.some(({ statements }) => statements.includes(sql))) ran.push(sql);
    return execute(sql, parameters);
  };
  const results = await Promise.all([1, 2, 3, 4, 5].map(() => migrate(watched, quiet, small)));
  expect(results.map(({ applied }) => applied.length).sort()).toEqual([0, 0, 0, 0, 2]);
  expect(ran).toEqual(small.flatMap(({ statements }) => statements));
});

test('a migration that lost its claim stops before its next statement', async () => {
  const held: Execute = async (sql, parameters) => {
    const rows = await execute(sql, parameters);
    if (sql.startsWith('ALTER TABLE cups')) {
      await execute("UPDATE schema_migration_claim SET holder = 'elsewhere:1:x', ends_at = '2037-01-01 00:00:00'");
    }
    return rows;
  };
  await expect(migrate(held, quiet, small)).rejects.toThrow('Another migrator took over');
  expect(await execute('SELECT * FROM cups')).toEqual([]);
  expect(await execute('SELECT holder FROM schema_migration_claim')).toEqual([{ holder: 'elsewhere:1:x' }]);
});

const rewritten = (name: string, statements: string[]) =>
  small.map((migration) => (migration.name === name ? { name, statements } : migration));

test('refuses a migration that was changed after it ran, and says what to do', async () => {
  await migrate(execute, quiet, small);
  const before = await picture();
  const changed = [
    ...rewritten('0002_second.sql', ['DROP TABLE cups', 'CREATE TABLE dishes (id INT NOT NULL)']),
    { name: '0003_third.sql', statements: ['CREATE TABLE forks (id INT NOT NULL)'] },
  ];
  await expect(migrate(execute, quiet, changed)).rejects.toThrow(
    /0002_second.sql was changed.*Restore its text.*new mig/,
  );
  const longer = rewritten('0001_first.sql', [...(small[0]?.statements ?? []), 'SELECT 1']);
  await expect(migrate(execute, quiet, longer)).rejects.toThrow(/0001_first.sql was changed/);
  expect(await picture()).toEqual(before);
  expect((await migrationStatus(execute, changed)).map(({ state }) => state)).toEqual([
    'applied',
    'changed',
    'pending',
  ]);
});

test('refuses if the file of an applied migration is missing, or a new file comes before it', async () => {
  await migrate(execute, quiet, small);
  await expect(migrate(execute, quiet, small.slice(0, 1))).rejects.toThrow(/0002_second.sql .*its file is missing/);
  const late = { name: '0001_late.sql', statements: ['CREATE TABLE late (id INT NOT NULL)'] };
  await expect(migrate(execute, quiet, [...small, late])).rejects.toThrow(/0001_late.sql is new.*number above 0002/);
});

test('a wrong statement can be corrected in the file, and the statements before it stay applied', async () => {
  const good = small[1]?.statements[1] ?? '';
  const faulty = rewritten('0002_second.sql', ['DROP TABLE cups', 'CREATE TABEL plates (id INT)']);
  await expect(migrate(execute, quiet, faulty)).rejects.toThrow(
    /0002_second.sql, statement 2 .*error 1064.*Correct it/,
  );
  const half = await migrationStatus(execute, faulty);
  expect(half[1]).toMatchObject({ state: 'half-applied', statementsDone: 1, statements: 2, problem: null });
  expect(await migrate(execute, quiet, rewritten('0002_second.sql', ['DROP TABLE cups', good]))).toEqual({
    applied: ['0002_second.sql'],
  });
});

test('a table that no migration created is reported every time, and never counts as migrated', async () => {
  await execute('CREATE TABLE cups (other INT NOT NULL)');
  for (const attempt of [1, 2]) {
    await expect(migrate(execute, quiet, small), `attempt ${attempt}`).rejects.toThrow(/no migration created it/);
  }
});
