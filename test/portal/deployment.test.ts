import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nouns } from '../../portal/nouns.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: TestStack;
let app: TestApp;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder('deployment');
  stack = await startTestStack();
});
afterAll(() => folder.remove());
beforeEach(async () => {
  await stack.mysql.query("UPDATE deployment SET stage = 'dev'");
  app = await stack.createApp();
});

const key = () => randomBytes(32).toString('hex');
const shell = (change: Record<string, string | undefined>): NodeJS.ProcessEnv => ({ ...process.env, ...change });
const isEnabled = async () => (await stack.call(app, 'GET', '/data/notice/1')).status !== 403;
const countRows = async (table: string): Promise<number> => {
  const [rows] = await stack.mysql.query(`SELECT COUNT(*) AS n FROM ${table}`);
  return (rows as Array<{ n: number }>)[0]?.n ?? -1;
};

describe('the stage of a database', () => {
  test.each([
    ['forgotten', undefined, 'STAGE is not set'],
    ['of another stage', 'staging', 'STAGE is staging'],
    ['misspelt', 'prd', 'STAGE is prd'],
  ])('with a STAGE that is %s, nothing is done, and the sentence says what to set', async (_, stage, sentence) => {
    await stack.mysql.query("UPDATE deployment SET stage = 'prod'");
    const run = await portalHere(['app', 'disable', '--app', app.appId], shell({ STAGE: stage }));
    expect(run).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(sentence) });
    expect(run.stderr).toContain('Set STAGE=prod');
    expect(await isEnabled()).toBe(true);
  });

  test('no verb of any noun runs on the database of another stage', async () => {
    await stack.mysql.query("UPDATE deployment SET stage = 'prod'");
    for (const [name, load] of Object.entries(nouns)) {
      for (const [verbName, verb] of Object.entries((await load()).verbs)) {
        if (verb.standalone) continue;
        const options = Object.entries(verb.options).flatMap(([option, { required }]) =>
          required ? [`--${option}`, '1'] : [],
        );
        const run = await portalHere([name, verbName, ...(verb.operands ?? []), ...options].filter(Boolean));
        expect([name, verbName, run.code, run.stdout]).toEqual([name, verbName, 1, '']);
        expect(run.stderr).toContain('belongs to stage prod');
      }
    }
  });

  test('a database in use that records no stage is refused until the operator names one', async () => {
    await stack.mysql.query('DELETE FROM deployment');
    const list = (stage: string | undefined) => portalHere(['app', 'list'], shell({ STAGE: stage }));
    expect(await list(undefined)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not say which stage'),
    });
    expect(await list('dev')).toMatchObject({ code: 0 });
    expect(await list('prod')).toMatchObject({ code: 1, stderr: expect.stringContaining('belongs to stage dev') });
  });
});

describe('the master key of a database', () => {
  const NEEDS_KEY = () => {
    const file = join(folder.path, 'merchant.json');
    writeFileSync(file, '{}');
    return [
      ['app', 'create', '--name', 'x'],
      ['app', 'rotate-key', '--app', app.appId],
      ['plugin', 'add', '--id', 'fresh', '--server', 'http://127.0.0.1:9/'],
      ['plugin', 'rotate-secret', '--id', 'fresh'],
      ['merchant', 'set', '--provider', 'wechatpay', '--json-config', file],
      ['master-key', 'reseal'],
    ];
  };

  test('a command that seals, opens or issues is refused with a wrong key, and prints and stores nothing', async () => {
    await portalJson(['app', 'list']);
    const before = [await countRows('apps'), await countRows('app_keys'), await countRows('plugins')];
    for (const argv of NEEDS_KEY()) {
      const run = await portalHere(argv, shell({ MASTER_KEY: key() }));
      expect([argv, run.code, run.stdout]).toEqual([argv, 1, '']);
      expect(run.stderr).toContain('is not the master key of this database');
    }
    expect([await countRows('apps'), await countRows('app_keys'), await countRows('plugins')]).toEqual(before);
  });

  test.each([
    ['MASTER_KEY', `"${'a'.repeat(64)}"`],
    ['MASTER_KEY', 'a'.repeat(63)],
    ['MASTER_KEY_OLD', 'former'],
  ])('a malformed %s is refused by its name, without its value: %s', async (name, value) => {
    const { code, stdout, stderr } = await portalHere(['app', 'create', '--name', 'x'], shell({ [name]: value }));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`configuration: ${name} must be 64 hex digits (32 bytes); see .env.example`);
    expect(stderr).not.toContain(value);
  });

  test('a wrong key beside the right former key issues nothing that the functions would refuse', async () => {
    const { MASTER_KEY } = process.env;
    await portalJson(['app', 'list']);
    const changing = shell({ MASTER_KEY: key(), MASTER_KEY_OLD: MASTER_KEY });
    for (const argv of NEEDS_KEY().filter(([noun, verb]) => `${noun} ${verb}` !== 'master-key reseal')) {
      const run = await portalHere(argv, changing);
      expect([argv, run.code, run.stdout]).toEqual([argv, 1, '']);
    }
    const create = await portalHere(['app', 'create', '--name', 'x'], changing);
    expect(create.stderr).toContain('run "master-key reseal" first');
    expect(await portalHere(['app', 'list'], changing)).toMatchObject({ code: 0 });
  });

  test('a database that is older than this proof takes the key that sealed its newest secret, and no other', async () => {
    await stack.mysql.query('UPDATE deployment SET master_key_probe = NULL');
    const wrong = await portalHere(['app', 'create', '--name', 'x'], shell({ MASTER_KEY: key() }));
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('is not the master key') });
    const created = await portalJson(['app', 'create', '--name', 'x']);
    expect((await stack.call(created, 'GET', '/data/notice/1')).status).not.toBe(403);
    const [[row]] = (await stack.mysql.query('SELECT master_key_probe AS probe FROM deployment')) as never as [
      [{ probe: string }],
    ];
    expect(row.probe).toMatch(/^[0-9a-f]{8}\./);
    expect(row.probe).not.toContain(process.env.MASTER_KEY);
  });

  test('without MASTER_KEY, commands that need no key run, and one that needs it says so', async () => {
    const none = shell({ MASTER_KEY: undefined });
    expect(await portalHere(['app', 'show', '--app', app.appId], none)).toMatchObject({ code: 0 });
    const create = await portalHere(['app', 'create', '--name', 'x'], none);
    expect(create).toMatchObject({ code: 1, stderr: expect.stringContaining('MASTER_KEY is not set') });
  });
});
