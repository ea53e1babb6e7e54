import { type ChildProcess, spawn } from 'node:child_process';
import { Client } from '@planetscale/database';
import { Redis } from '@upstash/redis';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../../local/engines/process.ts';
import { freshDatabase, freshRedis } from '../support/engines.ts';

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Starts what `npm run gateway` starts, without npm. `until` resolves when the output contains the text. */
function gateway(argv: string[], environment: Record<string, string>) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'gateway/main.ts', ...argv], {
    env: { PATH: process.env.PATH, ...environment },
  });
  children.push(child);
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output.text += chunk));
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  const until = async (mark: string): Promise<string> => {
    while (!output.text.includes(mark)) {
      if (child.exitCode !== null) throw new Error(`it ended: ${output.text}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return output.text;
  };
  return { child, exit, until, output };
}

const tokens = {
  UPSTASH_REDIS_REST_TOKEN: 'redis-token',
  DATABASE_USERNAME: 'app',
  DATABASE_PASSWORD: 'mysql-password',
};
const anyPorts = ['--redis-port', '0', '--mysql-port', '0'];

test.each(['SIGINT', 'SIGTERM'] as const)(
  'both gateways serve the official clients, and end cleanly on %s',
  async (signal) => {
    const [redis, database] = [await freshRedis(), await freshDatabase('psdb')];
    const running = gateway(anyPorts, { ...tokens, REDIS_URL: redis.url, MYSQL_URL: database.url });
    const text = await running.until('ready mysql http://');
    const url = (name: string): string =>
      new RegExp(`^ready ${name} (http://127\\.0\\.0\\.1:\\d+)$`, 'm').exec(text)?.[1] ?? '';
    const cache = new Redis({ url: url('redis'), token: tokens.UPSTASH_REDIS_REST_TOKEN });
    expect(await cache.set('k', 'v')).toBe('OK');
    const client = new Client({ url: url('mysql').replace('//', '//app:mysql-password@') });
    expect((await client.execute("SELECT 'ok' AS answer")).rows).toEqual([{ answer: 'ok' }]);

    running.child.kill(signal);
    expect(await running.exit).toBe(0);
    expect(running.output.text).not.toMatch(/redis-token|mysql-password/);
    await Promise.all([redis.stop(), database.drop()]);
  },
);

test('--help explains every variable, and works without any of them', async () => {
  const { exit, output } = gateway(['--help'], {});
  expect(await exit).toBe(0);
  for (const name of ['REDIS_URL', 'MYSQL_URL', 'MYSQL_REPLICA_URLS', ...Object.keys(tokens)])
    expect(output.text).toContain(name);
});

test('one error message names every missing or malformed variable, and repeats no value', async () => {
  const wrong = {
    REDIS_URL: 'http://hunter2@x',
    MYSQL_URL: 'mysql://u:hunter2@127.0.0.1',
    DATABASE_REPLICA_USERNAME: 'r',
  };
  const { exit, output } = gateway(['--redis-port', 'x'], wrong);
  expect(await exit).toBe(1);
  expect(output.text.trim().split('\n').sort()).toEqual(
    [
      '--redis-port must be a port number, 0 to 65535.',
      'DATABASE_PASSWORD is not set.',
      'Only one of DATABASE_REPLICA_USERNAME and DATABASE_REPLICA_PASSWORD is set. Set both or none.',
      'DATABASE_REPLICA_USERNAME is set without replicas. Set MYSQL_REPLICA_URLS too.',
      'DATABASE_USERNAME is not set.',
      'MYSQL_URL has no database name. Write mysql://user:password@host:port/database.',
      'REDIS_URL is not a URL that starts with redis://.',
      'UPSTASH_REDIS_REST_TOKEN is not set.',
    ].sort(),
  );
});

test('when an engine does not answer or refuses the login, one sentence names it', async () => {
  const [database, nobody] = [await freshDatabase('psdb'), await freePort()];
  const cases: Array<[Record<string, string>, string]> = [
    [
      { MYSQL_URL: `mysql://u:p@127.0.0.1:${nobody}/d` },
      `MYSQL_URL: no MySQL answers at 127.0.0.1:${nobody} (ECONNREFUSED). Check the URL and the server.`,
    ],
    [
      { MYSQL_URL: database.url.replace(/\/\/.*@/, '//nobody:hunter2@') },
      `MYSQL_URL: MySQL at 127.0.0.1:${database.port} refuses the user or the password. Check the URL and the server.`,
    ],
    [
      { MYSQL_URL: database.url },
      'REDIS_URL: no Redis answers there with that password. Check the URL and the server.',
    ],
  ];
  for (const [environment, sentence] of cases) {
    const { exit, output } = gateway(anyPorts, { ...tokens, REDIS_URL: `redis://127.0.0.1:${nobody}`, ...environment });
    expect([await exit, output.text.trim()]).toEqual([1, sentence]);
  }
  await database.drop();
});
