import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nouns } from '../../portal/nouns.ts';
import { portal, portalHere } from '../support/portal-command.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const STAGE = [
  'DATABASE_URL',
  'UPSTASH_REDIS_REST_URL',
  'UPSTASH_REDIS_REST_TOKEN',
  'MASTER_KEY',
  'SERVER_KEY',
  'SIGNING_KEY',
  'STAGE',
];
const outside = (more: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !STAGE.includes(name))),
  ...more,
});

let stack: TestStack;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder('portal-usage');
  stack = await startTestStack();
});
afterAll(() => folder.remove());

describe('a wrong command line', () => {
  test.each([
    [['ap', 'list'], 'did you mean "app"?'],
    [['app', 'creat', '--name', 'x'], 'did you mean "app create"?'],
    [['app', 'create', '--nam', 'x'], 'did you mean --name?'],
    [['app', 'create'], '--name X is missing'],
    [['app', 'create', '--name'], '--name needs a value'],
    [['app', 'create', '--name', '--actor', 'me'], '--name needs a value'],
    [['app', 'create', '--name', 'a', '--name', 'b'], 'given twice'],
    [['app', 'create', '--name', 'x', '--methods', 'SHA1,SHA256'], '"SHA256" is not one of them'],
    [['app', 'create', '--name', 'x', '--scopes', 'everything'], '"everything" is not one of them'],
    [['app', 'list', 'all'], 'one word too many'],
    [['app'], 'app needs one of'],
    [['data', 'put', 'notice', '--json-body', '{}'], '<id> is missing'],
    [['app', 'fields', '--app', 'x', '--remove=yes'], '--remove takes no value'],
    [['constructor', 'toString'], 'there is no "constructor"'],
  ])('%j is refused: %s', async (argv, sentence) => {
    expect(await portalHere(argv)).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence), stdout: '' });
  });

  test('with --json a refusal is a line of JSON too', async () => {
    const run = await portalHere(['app', 'show', '--json']);
    expect(run).toMatchObject({ code: 2, json: { error: '--app ID is missing' } });
  });
});

describe('help', () => {
  test('names every noun and verb, and the options of each', async () => {
    const all = await portalHere(['--help']);
    expect(all.code).toBe(0);
    for (const [name, load] of Object.entries(nouns)) {
      const noun = await load();
      expect(all.stdout).toContain(`  ${name}`);
      for (const [verbName, verb] of Object.entries(noun.verbs)) {
        const { code, stdout } = await portalHere([name, verbName, '--help'].filter(Boolean));
        expect(code).toBe(0);
        for (const option of Object.keys(verb.options)) expect(stdout).toContain(`--${option}`);
      }
    }
    expect(await portalHere(['lock', '--help'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('lock peek'),
    });
    expect(await portalHere([])).toMatchObject({ code: 2 });
  });
});

test('docs/operations.md describes every command', async () => {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  for (const [name, load] of Object.entries(nouns)) {
    const verbs = Object.keys((await load()).verbs);
    for (const verb of verbs) expect(text, `${name} ${verb}`).toContain(`\`${[name, verb].filter(Boolean).join(' ')}`);
  }
});

describe('the deployment that a command works on', () => {
  test('if nothing runs on the folder, a sentence says what to start', async () => {
    const run = await portalHere(['app', 'list', '--json', '--data', join(folder.path, 'nowhere')], outside());
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('start "npm run dev"') });
    expect(run.json).toMatchObject({ error: expect.stringContaining('Nothing runs on') });
  });

  test('if the environment names a deployed stage incompletely, the command is refused', async () => {
    const run = await portalHere(['app', 'list'], outside({ DATABASE_URL: stack.env.DATABASE_URL ?? '' }));
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('UPSTASH_REDIS_REST_URL') });
  });

  test('a key that a command needs and that is not set is named', async () => {
    const { DATABASE_URL = '', UPSTASH_REDIS_REST_URL = '', UPSTASH_REDIS_REST_TOKEN = '' } = stack.env;
    const stage = { DATABASE_URL, UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN };
    const run = await portalHere(['app', 'create', '--name', 'x'], outside(stage));
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('MASTER_KEY is not set') });
  });

  test('if an engine is down, one sentence says so, and the engine’s own message is not printed', async () => {
    stack.faults.mysql = () => ({ kind: 'status', status: 500, body: 'SECRET ENGINE TEXT' });
    const run = await portalHere(['app', 'list']);
    stack.faults.mysql = undefined;
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('A request to the database failed') });
    expect(run.stdout + run.stderr).not.toContain('SECRET');
  });

  test('disabling an app is refused while Redis cannot enforce it, and the app stays enabled', async () => {
    const app = await stack.createApp();
    stack.faults.redis = () => ({ kind: 'status', status: 500, body: '' });
    const run = await portalHere(['app', 'disable', '--app', app.appId]);
    stack.faults.redis = undefined;
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('A request to Redis failed') });
    expect(await portalHere(['app', 'show', '--app', app.appId, '--json'])).toMatchObject({
      json: { disabled: false },
    });
  });
});

test('a command typed in a terminal prints its answer and its deployment, and ends with its exit code', async () => {
  const listed = await portal(['app', 'list']);
  expect(listed).toMatchObject({ code: 0, stderr: expect.stringMatching(/^on stage dev, database 127\.0\.0\.1:\d+ /) });
  expect(await portal(['app', 'creat'])).toMatchObject({ code: 2, stderr: expect.stringContaining('app create') });
});

test('each command works as it is typed, and prints text for a person', async () => {
  const run = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await portalHere(argv);
    expect(code, `${argv.join(' ')}: ${stderr}`).toBe(0);
    expect(stderr).toMatch(/^on stage dev, database 127\.0\.0\.1:\d+ \(environment\)$/m);
    return stdout;
  };
  const created = await run('app', 'create', '--name', '小店');
  const appId = /AppID\s+(\S+)/.exec(created)?.[1] ?? '';
  expect(await run('app', 'list')).toContain('小店');
  expect(await run('app', 'show', '--app', appId)).toContain('k1');
  await run('app', 'rotate-key', '--app', appId);
  await run('app', 'revoke-key', '--app', appId, '--key', 'k1');
  await run('app', 'disable', '--app', appId);
  await run('app', 'enable', '--app', appId);
  await run('app', 'fields', '--app', appId);
  await run('plugin', 'add', '--id', 'typed', '--server', 'http://127.0.0.1:9/push');
  await run('plugin', 'rotate-secret', '--id', 'typed');
  expect(await run('plugin', 'list')).toContain('typed');
  await run('plugin', 'remove', '--id', 'typed');
  await run('channel', 'add', '--id', 'typed', '--verify', 'https://a.example/', '--login-server', 'a.example:7000');
  expect(await run('channel', 'list')).toContain('a.example:7000');
  await run('lock', 'set', '--target', 'POST /login', '--by', 'app,ip', '--limit', '9', '--window', '60');
  await run('lock', 'block', '--target', 'POST /login', '--seconds', '60', '--ip', '2001:db8::1');
  expect(await run('lock', 'list')).toContain('2001:db8:0:0::/64');
  expect(await run('lock', 'peek', '--target', 'POST /login', '--app', appId, '--ip', '127.0.0.1')).toContain(
    'operator-app-ip',
  );
  await run('lock', 'clear', '--target', 'POST /login');
  const notice = { title: 'Open', body: 'From nine to five', publishedAt: '2026-01-01T09:00:00Z' };
  await run('data', 'put', 'notice', '7', '--json-body', JSON.stringify(notice));
  await run('data', 'put', 'notice', '7', '--member', 'title=Closed', '--member', 'body=On Sunday');
  expect(await run('data', 'get', 'notice', '7')).toMatch(/^title +Closed$/m);
  expect(await run('data', 'list', 'notice', '--list', 'newest')).toContain('Closed');
  await run('data', 'invalidate', 'notice', '7');
  await run('data', 'delete', 'notice', '7');
  await run('hot');
  await run('master-key', 'reseal');
  expect(await run('operator-log', 'list')).toContain('master-key.reseal');
});
