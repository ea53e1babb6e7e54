import { expect, test } from 'vitest';
import { readSettings, SettingsError } from '../../gateway/settings.ts';

const right = {
  REDIS_URL: 'redis://10.0.0.11',
  MYSQL_URL: 'mysql://app:secret@10.0.0.21/miniapp',
  UPSTASH_REDIS_REST_TOKEN: 'token',
  DATABASE_USERNAME: 'app',
  DATABASE_PASSWORD: 'password',
};

function problemsOf(environment: Record<string, string>): string[] {
  try {
    readSettings([], { ...right, ...environment });
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

test.each([
  ['REDIS_URL', { REDIS_URL: 'redis://:hidden@h:6379/5' }, 'names another database than 0'],
  ['REDIS_URL', { REDIS_URL: 'redis://:hidden@h/cache' }, 'names another database than 0'],
  ['REDIS_URL', { REDIS_URL: 'redis://:hidden@h?db=5' }, 'a parameter after the question mark'],
  ['REDIS_URL', { REDIS_URL: 'redis://h#5' }, 'a part after #'],
  ['REDIS_TLS', { REDIS_URL: 'rediss://h', REDIS_TLS: 'off' }, 'starts with rediss://'],
  ['REDIS_PASSWORD', { REDIS_PASSWORD: 'hidden' }, 'Write it into REDIS_URL'],
  ['REDIS_SENTINEL_NAME', { REDIS_SENTINEL_NAME: 'main' }, 'without REDIS_SENTINELS'],
  ['MYSQL_URL', { MYSQL_URL: 'mysql://u:hidden@h/d?ssl-mode=REQUIRED' }, 'asks for TLS'],
  ['MYSQL_URL', { MYSQL_URL: 'mysql://u:hidden@h/d?charset=latin1' }, 'a parameter after the question mark'],
  ['MYSQL_URL', { MYSQL_URL: 'mysql://u:hidden@h/d/e' }, 'more than one name'],
  ['MYSQL_REPLICA_URLS', { MYSQL_REPLICA_URLS: 'mysql://u:hidden@r/other' }, 'another database than MYSQL_URL'],
  ['MYSQL_REPLICA_URLS', { MYSQL_REPLICA_URLS: 'mysql://u:hidden@r?tls=true' }, 'asks for TLS'],
])('a part of %s that is not used is refused by name: %o', (name, environment, reason) => {
  const problems = problemsOf(environment);
  expect(problems).toEqual([expect.stringMatching(new RegExp(`^${name} .*${reason}`))]);
  expect(problems.join()).not.toContain('hidden');
});

test('database 0, and the database of the primary, may be named', () => {
  expect(problemsOf({ REDIS_URL: 'redis://h/0', MYSQL_REPLICA_URLS: 'mysql://u:p@r/miniapp,mysql://u:p@s' })).toEqual(
    [],
  );
  expect(problemsOf({ REDIS_URL: 'redis://h/' })).toEqual([]);
});

test.each([
  ['UPSTASH_REDIS_REST_TOKEN', { UPSTASH_REDIS_REST_TOKEN: 'hidden\n' }, 'ASCII without spaces'],
  ['UPSTASH_REDIS_REST_TOKEN', { UPSTASH_REDIS_REST_TOKEN: 'hidden 密码' }, 'ASCII without spaces'],
  ['UPSTASH_REDIS_REST_READONLY_TOKEN', { UPSTASH_REDIS_REST_READONLY_TOKEN: 'token' }, 'must differ'],
  ['DATABASE_USERNAME', { DATABASE_USERNAME: 'a:hidden' }, 'must not contain a colon'],
])('a login that no client can use as it is meant is refused by name: %s %o', (name, environment, reason) => {
  const problems = problemsOf(environment);
  expect(problems).toEqual([expect.stringMatching(new RegExp(`^${name} .*${reason}`))]);
  expect(problems.join()).not.toContain('hidden');
});

test.each([['--host='], ['--host= ']])('%j does not listen on every address: it is refused', (flag) => {
  expect(() => readSettings([flag], right)).toThrow('--host is empty');
});
