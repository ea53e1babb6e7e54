import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import { expect, onTestFinished, test } from 'vitest';
import { createClient, fetchTransport } from '../../client/miniapp-client.ts';
import { type CheckoutCopy, copyCheckout } from '../support/checkout-copy.ts';
import { freshRedis, mysqlForTests } from '../support/engines.ts';

/** Follows "Setting it up" of docs/self-hosting.md in a clean folder, from a server without a database on. */
const example = (name: string) => readFileSync(`docs/self-hosting/${name}`, 'utf8');
const hex = (bytes: number) => randomBytes(bytes).toString('hex');

type Environment = Record<string, string>;

/** Runs a command of package.json in the copy. Resolves with its output when it has ended or printed `until`. */
function npmRun(copy: CheckoutCopy, command: string, env: Environment, until?: RegExp) {
  const [script = '', ...more] = command.split(' ');
  const child: ChildProcess = spawn('npm', ['run', '-s', script, '--', ...more], {
    cwd: copy.path,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
  onTestFinished(() => void child.kill('SIGTERM'));
  let output = '';
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const text = new Promise<string>((done, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk;
      if (until?.test(output)) done(output);
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    void ended.then((code) =>
      code === 0 && until === undefined
        ? done(output)
        : reject(new Error(`npm run ${command} ended with ${code}: ${output}`)),
    );
  });
  text.catch(() => undefined);
  return {
    text,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Runs the shipped files on empty servers. The names get an end of their own, because tests share the MySQL server. */
async function prepareServers() {
  const redis = await freshRedis({ extraArguments: ['--include', resolve('docs/self-hosting/redis.conf')] });
  onTestFinished(() => redis.stop());
  const admin = new Redis({ host: redis.host, port: redis.port });
  for (const line of example('redis-users.acl').trim().split('\n')) {
    const [, name = '', ...rules] = line.split(' ');
    if (name !== 'default') await admin.call('ACL', 'SETUSER', name, ...rules);
  }
  admin.disconnect();

  const { host, port, user, password } = mysqlForTests();
  const root = await createConnection({ host, port, user, password });
  const own = (name: string) => `${name}_${end}`;
  const end = hex(3);
  const sql = example('database-users.sql')
    .replace(/^--.*$/gm, '')
    .replace(/'(miniapp\w*)'@'%'/g, (_, name: string) => `'${own(name)}'@'%'`)
    .replace(/(DATABASE |ON )miniapp/g, (_, before: string) => `${before}${own('miniapp')}`);
  for (const statement of sql.split(';')) if (statement.trim()) await root.query(statement);
  onTestFinished(async () => {
    for (const name of ['miniapp', 'miniapp_reader', 'miniapp_migrations'])
      await root.query(`DROP USER '${own(name)}'@'%'`);
    await root.query(`DROP DATABASE ${own('miniapp')}`);
    await root.end();
  });
  return {
    redisUrl: `redis://miniapp:replace-me@${redis.host}:${redis.port}`,
    mysqlUrl: (name: string, secret: string) => `mysql://${own(name)}:${secret}@${host}:${port}/${own('miniapp')}`,
  };
}

test('the steps of "Setting it up" lead from empty servers to a signed call that is answered', {
  timeout: 300_000,
}, async () => {
  const copy = copyCheckout();
  onTestFinished(() => copy.remove());
  const { redisUrl, mysqlUrl } = await prepareServers();

  const credentials = {
    UPSTASH_REDIS_REST_TOKEN: hex(16),
    DATABASE_USERNAME: 'app',
    DATABASE_PASSWORD: hex(16),
    STAGE: 'prod',
  };
  const gateway = async (url: string) => {
    const env = { ...credentials, REDIS_URL: redisUrl, MYSQL_URL: url };
    const started = npmRun(copy, 'gateway --redis-port 0 --mysql-port 0', env, /ready[\s\S]*ready .*\n/);
    const [redis = '', mysql = ''] = (await started.text).match(/http:\/\/[\d.]+:\d+/g) ?? [];
    const databaseUrl = mysql.replace('//', `//app:${credentials.DATABASE_PASSWORD}@`);
    return { ...started, env: { UPSTASH_REDIS_REST_URL: redis, DATABASE_URL: databaseUrl } };
  };
  const keys = { MASTER_KEY: hex(32), SERVER_KEY: hex(32), SIGNING_KEY: hex(32) };
  const migrations = await gateway(mysqlUrl('miniapp_migrations', 'replace-me-3'));
  expect(await npmRun(copy, 'db migrate', { ...credentials, ...keys, ...migrations.env }).text).toContain('applied');
  await migrations.stop();

  const { env } = await gateway(mysqlUrl('miniapp', 'replace-me-1'));
  const functions = { ...credentials, ...keys, ...env };
  await npmRun(copy, 'build', {}).text;
  const serve = npmRun(copy, 'serve --port 0 --admin-port 0', functions, /^ready \S+$/m);
  const baseUrl = /^ready (\S+)$/m.exec(await serve.text)?.[1] ?? '';
  const created = await npmRun(copy, 'portal app create --name first --json', functions).text;
  const { appId, privateKey } = JSON.parse(created.trim().split('\n').at(-1) ?? '');

  const client = createClient({ baseUrl, appId, privateKey, transport: fetchTransport(fetch) });
  expect(await client.readOne('notice', '1')).toBeNull();
  await serve.stop();
});
