import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
});

const schemaFile = (schema: object): string => {
  const file = join(mkdtempSync(join(tmpdir(), 'fields-')), 'schema.json');
  writeFileSync(file, JSON.stringify(schema));
  return file;
};
const level = { type: 'object', properties: { memberLevel: { type: 'string', maxLength: 10 } } };

test('fields that an app registers are accepted with the next call, also when their absence was cached', async () => {
  const app = await stack.createApp();
  const client = stack.client(app);
  await client.login({ account: 'demo', password: 'demo-password-1' });
  expect(await client.me()).not.toHaveProperty('fields');
  await portalJson(['app', 'fields', '--app', app.appId, '--json-schema', schemaFile(level)]);
  expect(await client.request('PUT', '/me', { body: { fields: { memberLevel: 'gold' } } })).toMatchObject({
    fields: { memberLevel: 'gold' },
  });
  await portalJson(['app', 'fields', '--app', app.appId, '--remove']);
  expect(await client.me()).not.toHaveProperty('fields');
});

test('a schema that the server cannot enforce is refused, and the message names the part', async () => {
  const app = await stack.createApp();
  const reserved = { type: 'object', properties: { userId: { type: 'string' } } };
  const refused = await portalHere(['app', 'fields', '--app', app.appId, '--json-schema', schemaFile(reserved)]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('properties.userId: the name is reserved');
});
