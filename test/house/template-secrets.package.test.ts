import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readServerlessFile } from '../../serve/http-api/serverless-file.ts';
import { type Packaged, packageTemplate, projectFolder } from '../support/package-template.ts';

/** Settings of the deployer's shell that are meant to be in the template. Nobody would call one of them a secret. */
const SETTINGS = [
  'STAGE',
  'REDIS_TIMEOUT_MS',
  'MYSQL_TIMEOUT_MS',
  'MAX_OPEN_ORDERS',
  'SESSION_IDLE_SECONDS',
  'SESSION_MAX_SECONDS',
  'WECHAT_APPID',
  'WECHAT_API_URL',
  'UPLOADS_ENDPOINT',
  'UPLOADS_BUCKET',
  'UPLOADS_REGION',
  'UPLOADS_KEY_ID',
  'UPLOADS_PUBLIC_URL',
  'UPLOADS_TIMEOUT_MS',
];

const serverlessText = readFileSync(join(projectFolder, 'serverless.yml'), 'utf8');
const functionNames = [...readServerlessFile(join(projectFolder, 'serverless.yml')).functions.keys()];
const declared = [...readFileSync(join(projectFolder, '.env.example'), 'utf8').matchAll(/^([A-Z_]+)=/gm)];
const secretNames = [
  ...declared.flatMap(([, name = '']) => (SETTINGS.includes(name) ? [] : [name])),
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'MYSQL_URL',
  'REDIS_URL',
];
const shell = Object.fromEntries(secretNames.map((name) => [name, `canary-${name}-canary`]));
let packaged: Packaged;

beforeAll(() => {
  packaged = packageTemplate(functionNames, { environment: shell, built: true });
});

test('no file of a package contains a secret of the shell that packages, not even inside a zip', () => {
  expect(secretNames).toEqual(expect.arrayContaining(['MASTER_KEY_OLD', 'DATABASE_REPLICA_URL', 'SANDBOX_KEY']));
  expect([...packaged.files.keys()]).toEqual(
    expect.arrayContaining([
      'cloudformation-template-update-stack.json',
      'serverless-state.json',
      'login.zip/dist/login.mjs',
    ]),
  );
  const leaks = [...packaged.files].flatMap(([file, text]) =>
    secretNames.filter((name) => text.includes(shell[name] ?? '')).map((name) => `${file}: ${name}`),
  );
  expect(leaks).toEqual([]);
});

test('each secret of a function is a reference to the stage’s secret in Secrets Manager', () => {
  const functions = packaged.ofType('AWS::Lambda::Function').map(({ Properties }) => Properties);
  expect(functions).toHaveLength(functionNames.length);
  for (const { FunctionName, Environment } of functions) {
    for (const [name, value] of Object.entries(Environment.Variables)) {
      if (SETTINGS.includes(name)) continue;
      const reference = `{{resolve:secretsmanager:miniapp-cloud/prod:SecretString:${name}}}`;
      expect([FunctionName, name, value]).toEqual([FunctionName, name, reference]);
    }
  }
});

test('serverless.yml reads only settings from the shell, so a new variable cannot leak', () => {
  const read = [...serverlessText.matchAll(/\$\{env:(\w+)/g)].map(([, name = '']) => name);
  expect(read.length).toBeGreaterThan(0);
  expect(read.filter((name) => !SETTINGS.includes(name))).toEqual([]);
});

test('docs name every member that the stage’s secret needs, in both languages', () => {
  const members = [...serverlessText.matchAll(/SecretString:([A-Z_]+)\}\}/g)].map(([, name = '']) => name);
  for (const page of ['docs/deploy.md', 'docs/zh-CN/deploy.md']) {
    const text = readFileSync(join(projectFolder, page), 'utf8');
    expect(members.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  }
});
