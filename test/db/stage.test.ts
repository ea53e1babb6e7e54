import { afterEach, beforeEach, expect, test } from 'vitest';
import { runDatabaseCommand } from '../../db/command.ts';
import { executeOverHttp } from '../../db/execute.ts';
import { type PlanetscaleGateway, startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { freshDatabase } from '../support/engines.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
let gateway: PlanetscaleGateway;
beforeEach(async () => {
  database = await freshDatabase('stage');
  const { host, port, user, password, database: name } = database;
  gateway = await startPlanetscaleGateway({
    primary: { host, port, user, password, database: name },
    username: 'tester',
    password: 'pscale_pw',
  });
});
afterEach(async () => {
  await gateway.stop();
  await database.drop();
});

async function db(stage: string | undefined, argv: string[], ask?: (question: string) => Promise<string>) {
  const lines: string[] = [];
  const terminal = { out: (line: string) => lines.push(line), err: (line: string) => lines.push(line), ask };
  const environment = { DATABASE_URL: gateway.url, ...(stage && { STAGE: stage }) };
  return { code: await runDatabaseCommand(argv, terminal, environment), text: lines.join('\n') };
}
const tables = async () => (await executeOverHttp(gateway.url)('SHOW TABLES')).length;

test('migrate records the stage, and migrates no database of another stage', async () => {
  expect(await db('prod', ['migrate'])).toMatchObject({ code: 0, text: expect.stringContaining('stage: prod') });
  await executeOverHttp(gateway.url)("DELETE FROM schema_migrations WHERE name LIKE '%sandbox%'");
  await executeOverHttp(gateway.url)('DROP TABLE sandbox_payments');
  const before = await tables();
  expect(await db('staging', ['migrate'])).toMatchObject({
    code: 1,
    text: expect.stringContaining('This database belongs to stage prod, and STAGE is staging: nothing was done'),
  });
  expect(await tables()).toBe(before);
});

test('migrate without STAGE records none and says how; with the recorded stage it says which', async () => {
  expect(await db(undefined, ['migrate'])).toMatchObject({
    code: 0,
    text: expect.stringContaining('STAGE is not set'),
  });
  expect((await db(undefined, ['stage'])).text).toContain('no stage is recorded');
  await db('prod', ['migrate']);
  expect((await db(undefined, ['migrate'])).text).toContain('stage: prod');
});

test('sample data is not written into the database of another stage, also if STAGE is forgotten', async () => {
  await db('prod', ['migrate']);
  for (const stage of [undefined, 'dev']) {
    expect(await db(stage, ['seed'])).toMatchObject({
      code: 1,
      text: expect.stringContaining('belongs to stage prod'),
    });
  }
  const rows = await executeOverHttp(gateway.url)('SELECT id FROM notices LIMIT 1');
  expect(rows).toEqual([]);
});

test('stage --set is for a copy: it asks on a terminal, and the former stage is refused afterwards', async () => {
  await db('prod', ['migrate']);
  const questions: string[] = [];
  const refused = await db('staging', ['stage', '--set', 'staging'], async (question) => {
    questions.push(question);
    return 'n';
  });
  expect([refused.code, questions.length]).toEqual([1, 1]);
  expect(refused.text).toContain('will belong to stage staging, and no longer to prod');
  expect((await db('prod', ['stage'])).text).toContain('prod');
  expect(
    await db('staging', ['stage', '--set', 'staging', '--yes'], () => Promise.reject(new Error('asked'))),
  ).toMatchObject({
    code: 0,
  });
  expect(await db('prod', ['seed'])).toMatchObject({ code: 1 });
  expect(await db('x', ['stage', '--set', 'a b'])).toMatchObject({ code: 1, text: expect.stringContaining('1 to 64') });
  expect(await db('x', ['migrate', '--set', 'y'])).toMatchObject({ code: 2 });
});
