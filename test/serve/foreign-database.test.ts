import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { refuseForeignDatabase } from '../../serve/deployment.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
const lines: string[] = [];
const prove = () => refuseForeignDatabase((line) => lines.push(line));
beforeAll(async () => {
  stack = await startTestStack();
});
afterEach(async () => {
  Object.assign(process.env, stack.env);
  stack.faults.mysql = undefined;
  await stack.mysql.query("UPDATE deployment SET stage = 'dev'");
});

test('a server does not start with the stage of another deployment', async () => {
  await prove();
  process.env.STAGE = 'prod';
  await expect(prove()).rejects.toThrow('This database belongs to stage dev, and STAGE is prod');
  delete process.env.STAGE;
  await stack.mysql.query("UPDATE deployment SET stage = 'prod'");
  await expect(prove()).rejects.toThrow('Set STAGE=prod');
});

test('a server does not start with the master key of another deployment', async () => {
  process.env.MASTER_KEY = randomBytes(32).toString('hex');
  await expect(prove()).rejects.toThrow('is not the master key of this database');
});

test('a server starts while the master key is changed: the former key opens what is sealed', async () => {
  process.env.MASTER_KEY_OLD = stack.env.MASTER_KEY;
  process.env.MASTER_KEY = randomBytes(32).toString('hex');
  await prove();
  delete process.env.MASTER_KEY_OLD;
});

test('a server starts while MySQL is down, and says that nothing is proven', async () => {
  stack.faults.mysql = () => ({ kind: 'status', status: 500, body: '' });
  await prove();
  expect(lines.at(-1)).toContain('stage and master key are not proven');
});

test('a server records the stage of a database that names none', async () => {
  await stack.mysql.query('DELETE FROM deployment');
  process.env.STAGE = 'prod';
  await prove();
  const [rows] = await stack.mysql.query('SELECT stage FROM deployment');
  expect(rows).toEqual([{ stage: 'prod' }]);
});

test('a server does not start on a database without tables', async () => {
  await stack.mysql.query('DROP TABLE deployment');
  await expect(prove()).rejects.toThrow('npm run db -- migrate');
  await stack.mysql.query('CREATE TABLE deployment (id INT PRIMARY KEY, stage VARCHAR(64), master_key_probe TEXT)');
});
