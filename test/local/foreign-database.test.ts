import { afterEach, beforeEach, expect, test } from 'vitest';
import { executeOverHttp } from '../../db/execute.ts';
import { migrate } from '../../db/migrate.ts';
import { readMigrations } from '../../db/migration-files.ts';
import { startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { startBackend } from '../../local/backend.ts';
import { newKeys } from '../../local/keys-file.ts';
import { freshDatabase, freshRedis } from '../support/engines.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
let redis: Awaited<ReturnType<typeof freshRedis>>;
beforeEach(async () => {
  [database, redis] = await Promise.all([freshDatabase('foreign', 'migrated'), freshRedis()]);
});
afterEach(async () => {
  await database.drop();
  await redis.stop();
});

function login() {
  const { host, port, user, password, database: name } = database;
  return { host, port, user, password, database: name };
}

async function sql(...statements: string[]): Promise<unknown[]> {
  const gateway = await startPlanetscaleGateway({ primary: login(), username: 'tester', password: 'pw' });
  try {
    const execute = executeOverHttp(gateway.url);
    const results = [];
    for (const statement of statements) results.push(await execute(statement));
    return results.at(-1) ?? [];
  } finally {
    await gateway.stop();
  }
}
const backend = (keys = newKeys()) =>
  startBackend({ redis: { host: redis.host, port: redis.port }, mysql: login(), keys, seeded: false, log: () => {} });

test('npm run dev does not start on the database of another stage, and changes nothing in it', async () => {
  await sql("INSERT INTO deployment (id, stage) VALUES (1, 'prod')", 'DROP TABLE sandbox_payments');
  await sql("DELETE FROM schema_migrations WHERE name LIKE '%sandbox%'");
  await expect(backend()).rejects.toThrow('This database belongs to stage prod, and STAGE is dev');
  expect(await sql("SHOW TABLES LIKE 'sandbox_payments'")).toEqual([]);
});

test('npm run dev does not start with the master key of another data folder', async () => {
  const first = await backend();
  await first.stop();
  await expect(backend()).rejects.toThrow('is not the master key of this database');
});

test('npm run dev upgrades a database that is older than the table of stages', async () => {
  await database.drop();
  database = await freshDatabase('foreign');
  const gateway = await startPlanetscaleGateway({ primary: login(), username: 'tester', password: 'pw' });
  const older = readMigrations().filter(({ name }) => name < '0007_deployment.sql');
  await migrate(executeOverHttp(gateway.url), () => {}, older).finally(() => gateway.stop());
  const upgraded = await backend();
  await upgraded.stop();
  expect(await sql('SELECT stage FROM deployment')).toEqual([{ stage: 'dev' }]);
});
