import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findRedis, startMysql } from '../../local/engines/engines.ts';
import { type DatabaseTemplates, makeTemplates } from './database-templates.ts';
import { setupFailure } from './setup-failure.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    mysql: { host: string; port: number; user: string; password: string; flavour: 'mariadb' | 'mysql' };
    templates: DatabaseTemplates;
  }
}

/** One MySQL for the whole run, because its start takes longest. Each test file creates its own databases in it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  try {
    return await startEngines(project);
  } catch (error) {
    const what = `The tests of the lane "${project.name}" need a Redis and a MySQL, which did not start:`;
    throw setupFailure(what, error, '"npm run test:unit" runs the tests that need neither.');
  }
}

async function startEngines(project: TestProject): Promise<() => Promise<void>> {
  const log = (line: string) => console.log(line);
  const redis = await findRedis(log);
  log(`${redis.product} ${redis.version} from ${redis.source}, one per test file`);
  await sweep();
  const directory = await mkdtemp(join(tmpdir(), 'miniapp-test-mysql-'));
  const mysql = await startMysql({ directory, log });
  const { host, port, user, password, flavour } = mysql;
  const { drop, ...templates } = await makeTemplates(mysql);
  project.provide('mysql', { host, port, user, password, flavour });
  project.provide('templates', templates);
  return async () => {
    await drop();
    await mysql.stop();
    await rm(directory, { recursive: true, force: true });
  };
}

/** Removes the folders of runs that were killed. No run lasts a day. */
async function sweep(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    if (!entry.startsWith('miniapp-test-')) continue;
    const path = join(tmpdir(), entry);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > 86_400_000) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}
