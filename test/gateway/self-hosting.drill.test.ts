import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { expect, onTestFinished, test } from 'vitest';
import { executeOverHttp } from '../../db/execute.ts';
import { migrate } from '../../db/migrate.ts';
import { startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { startUpstashGateway } from '../../gateway/upstash/gateway.ts';
import { functionEnvironment, takeEnvironment } from '../../local/function-environment.ts';
import { newKeys } from '../../local/keys-file.ts';
import { startHttpApi } from '../../serve/http-api/http-api.ts';
import { SINCE_SHARDS, sinceKey } from '../../shared/admission/replay-record.ts';
import { createApp, NEW_METHODS, NEW_SCOPES } from '../../shared/app/admin.ts';
import { getResource } from '../../shared/data/resources.ts';
import { putResource } from '../../shared/data/write.ts';
import { warmCache } from '../../shared/upkeep/every-minute.ts';
import { bundleFolder } from '../support/bundles.ts';
import { freshDatabase, freshRedis } from '../support/engines.ts';

const example = (name: string) => readFileSync(`docs/self-hosting/${name}`, 'utf8');

test('the accounts of docs/self-hosting can do what the service needs, and nothing more', async () => {
  const [server, database] = [await freshRedis(), await freshDatabase('hosted')];
  onTestFinished(() => server.stop());
  onTestFinished(() => database.drop());
  const admin = await createConnection(database.url);
  const user = (name: string) => `${name}_${database.database.slice(-6)}`;
  const sql = example('database-users.sql')
    .replaceAll('miniapp.*', `\`${database.database}\`.*`)
    .replace(/'(miniapp\w*)'@'%'/g, (_, name) => `'${user(name)}'@'127.0.0.1'`);
  for (const statement of sql.replace(/^--.*$/gm, '').split(';')) if (statement.trim()) await admin.query(statement);
  onTestFinished(async () => {
    for (const name of ['miniapp', 'miniapp_reader', 'miniapp_migrations']) {
      await admin.query(`DROP USER '${user(name)}'@'127.0.0.1'`);
    }
    admin.destroy();
  });
  const redis = new Redis({ port: server.port, host: server.host });
  onTestFinished(() => redis.disconnect());
  for (const line of example('redis-users.acl').trim().split('\n')) {
    const [, name = '', ...rules] = line.split(' ');
    if (name !== 'default') await redis.call('ACL', 'SETUSER', name, ...rules);
  }

  const login = (name: string, password: string) => ({ ...database, user: user(name), password });
  const mysqlOf = (primary: ReturnType<typeof login>) =>
    startPlanetscaleGateway({
      primary,
      username: 'app',
      password: 'a',
      replicaUsername: 'reader',
      replicaPassword: 'r',
      replicas: [login('miniapp_reader', 'replace-me-2')],
      replicaMaxLagSeconds: 30,
    });
  const migrations = await mysqlOf(login('miniapp_migrations', 'replace-me-3'));
  await migrate(executeOverHttp(migrations.url), () => {});
  await migrations.stop();
  const mysql = await mysqlOf(login('miniapp', 'replace-me-1'));
  onTestFinished(() => mysql.stop());
  const upstash = await startUpstashGateway({
    redis: { host: server.host, port: server.port, username: 'miniapp', password: 'replace-me' },
    guard: { runKey: sinceKey('run'), sinceKeys: [...SINCE_SHARDS].map((shard) => sinceKey(shard)) },
    token: 'token',
  });
  onTestFinished(() => upstash.stop());

  const keys = { ...newKeys(), redisToken: 'token' };
  const addresses = { databaseUrl: mysql.url, redisUrl: upstash.url, wechatUrl: 'http://127.0.0.1:9', sandbox: false };
  takeEnvironment({ ...functionEnvironment(keys, addresses), LOG: 'off' });
  const api = await startHttpApi({ distDirectory: bundleFolder() });
  onTestFinished(() => api.stop());
  expect(await (await fetch(`${api.url}/health`)).json()).toMatchObject({ status: 'ok' });
  const app = { name: 'a', methods: NEW_METHODS, scopes: NEW_SCOPES, plugins: null, validates: null };
  expect((await createApp(app, 'test')).appId).toMatch(/-/);
  await putResource(getResource('notice'), '1', { title: 'a', body: 'b', publishedAt: '2026-11-24T00:00:00Z' });
  const report = await warmCache({ stopAt: Date.now() + 10_000, settleMs: 0 });
  expect(report.pages).toEqual({ loaded: expect.any(Number), failed: 0 });
  expect(JSON.stringify({ ...report, pages: undefined })).not.toContain('failed');

  const client = new Redis({ host: server.host, port: server.port, username: 'miniapp', password: 'replace-me' });
  onTestFinished(() => client.disconnect());
  for (const command of [['FLUSHALL'], ['CONFIG', 'GET', '*'], ['KEYS', '*'], ['GET', 'other'], ['ACL', 'LIST']]) {
    await expect(client.call(...(command as [string]))).rejects.toThrow(/NOPERM/);
  }
});
