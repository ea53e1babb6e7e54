import { expect, test } from 'vitest';
import { readSettings, type SettingsError } from '../../gateway/settings.ts';

const others = {
  MYSQL_URL: 'mysql://app:secret@10.0.0.21/miniapp',
  UPSTASH_REDIS_REST_TOKEN: 'token',
  DATABASE_USERNAME: 'app',
  DATABASE_PASSWORD: 'password',
};

function redisOf(environment: Record<string, string>) {
  const settings = readSettings([], { ...others, ...environment });
  if (settings === 'help') throw new Error('help');
  return settings.redis.redis;
}

test('sentinels, a name, users, passwords and TLS are read from the environment', () => {
  expect(
    redisOf({
      REDIS_SENTINELS: '10.0.0.11:26379, redis-2 ,[fd00::3]:26380',
      REDIS_SENTINEL_NAME: 'main',
      REDIS_USERNAME: 'miniapp',
      REDIS_PASSWORD: 'p',
      REDIS_SENTINEL_PASSWORD: 's',
      REDIS_TLS: 'on',
    }),
  ).toEqual({
    sentinels: [
      { host: '10.0.0.11', port: 26_379 },
      { host: 'redis-2', port: 26_379 },
      { host: 'fd00::3', port: 26_380 },
    ],
    name: 'main',
    username: 'miniapp',
    password: 'p',
    sentinelPassword: 's',
    tls: {},
  });
});

test('a single server is configured by its URL, with a user and TLS', () => {
  expect(redisOf({ REDIS_URL: 'rediss://miniapp:p%40ss@10.0.0.11:6380' })).toEqual({
    host: '10.0.0.11',
    port: 6_380,
    username: 'miniapp',
    password: 'p@ss',
    tls: {},
  });
});

test('an error names the wrong setting and contains no password', () => {
  const environment = {
    REDIS_URL: 'redis://:hidden@h',
    REDIS_SENTINELS: 'a:b:c',
    REDIS_TLS: 'yes',
    REDIS_TLS_CA: '/none',
  };
  try {
    redisOf(environment);
    expect.unreachable();
  } catch (error) {
    const text = (error as SettingsError).message;
    for (const part of [
      'are both set',
      'REDIS_SENTINEL_NAME is not set',
      'host:port',
      'REDIS_TLS must be',
      'REDIS_TLS_CA',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain('hidden');
  }
});
