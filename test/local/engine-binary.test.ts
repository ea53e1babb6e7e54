import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Debian } from '../../local/engines/debian.ts';
import { fetchIntoCache, findMysql, findRedis, type PackageSystem } from '../../local/engines/engine-binary.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const quiet = () => {};
const system: Debian = { codename: 'test', architecture: 'any', aptGet: '', aptCache: '', dpkgDeb: '' };

test('a server on PATH, or in sbin, is used first, and nothing is downloaded', async () => {
  const folder = await testFolder();
  await program(`${folder}/usr/bin/redis-server`, 'Redis server v=7.2.4 sha=0');
  await program(`${folder}/usr/sbin/mysqld`, 'mysqld  Ver 8.4.0 for Linux on x86_64 (MySQL Community Server)');
  const environment = { PATH: `${folder}/usr/bin`, MINIAPP_ENGINE_CACHE: `${folder}/cache` };
  const packages = fakePackages();
  const redis = await findRedis(quiet, environment, packages);
  const mysql = await findMysql(quiet, environment, packages);
  expect(redis).toMatchObject({ product: 'redis', version: '7.2.4', source: 'path' });
  expect(mysql).toMatchObject({ product: 'mysql', version: '8.4.0', source: 'path' });
  expect(packages.fetches).toBe(0);
});

test('Valkey and MariaDB are recognised by their version text', async () => {
  const folder = await testFolder();
  await program(`${folder}/valkey-server`, 'Valkey server v=8.1.1 sha=0');
  await program(`${folder}/mysqld`, 'mysqld  Ver 11.8.2-MariaDB for debian-linux-gnu');
  const environment = { PATH: folder, MINIAPP_ENGINE_CACHE: `${folder}/cache` };
  expect(await findRedis(quiet, environment, fakePackages())).toMatchObject({ product: 'valkey', version: '8.1.1' });
  expect(await findMysql(quiet, environment, fakePackages())).toMatchObject({ product: 'mariadb', version: '11.8.2' });
});

test('one download gets both engines, and the next run finds them in the cache', async () => {
  const environment = { PATH: '', MINIAPP_ENGINE_CACHE: `${await testFolder()}/cache` };
  const packages = fakePackages();
  const both = await Promise.all([findRedis(quiet, environment, packages), findMysql(quiet, environment, packages)]);
  expect(both.map((engine) => engine.source)).toEqual(['debian', 'debian']);
  expect((await findMysql(quiet, environment, packages)).source).toBe('cache');
  expect(packages.fetches).toBe(1);
});

test('MINIAPP_ENGINE_SOURCE=debian skips the servers on PATH', async () => {
  const folder = await testFolder();
  await program(`${folder}/redis-server`, 'Redis server v=7.2.4 sha=0');
  const environment = { PATH: folder, MINIAPP_ENGINE_CACHE: `${folder}/cache`, MINIAPP_ENGINE_SOURCE: 'debian' };
  expect(await findRedis(quiet, environment, fakePackages())).toMatchObject({ version: '7.0.1', source: 'debian' });
});

test('a server that does not start is skipped', async () => {
  const folder = await testFolder();
  await program(`${folder}/redis-server`, 'error while loading shared libraries', 127);
  const environment = { PATH: folder, MINIAPP_ENGINE_CACHE: `${folder}/cache` };
  expect((await findRedis(quiet, environment, fakePackages())).source).toBe('debian');
});

test('downloads at the same time all succeed and leave one complete cache', async () => {
  const cache = `${await testFolder()}/cache`;
  const packages = fakePackages();
  await Promise.all([1, 2, 3].map(() => fetchIntoCache(`${cache}/test-any`, system, packages, quiet)));
  expect(packages.fetches).toBe(3);
  expect(await readdir(cache)).toEqual(['test-any']);
  expect(await readFile(`${cache}/test-any/usr/sbin/mariadbd`, 'utf8')).toContain('10.11.1-MariaDB');
});

test('a failed download says why and what to do, and leaves no cache', async () => {
  const cache = `${await testFolder()}/cache`;
  const packages: PackageSystem = {
    find: async () => system,
    fetch: async () => {
      throw new Error('Temporary failure resolving the host');
    },
  };
  const environment = { PATH: '', MINIAPP_ENGINE_CACHE: cache };
  const found = findRedis(quiet, environment, packages);
  await expect(found).rejects.toThrow(
    /Temporary failure resolving[\s\S]*Solution: [\s\S]*redis-server[\s\S]*REDIS_URL/,
  );
  expect(await readdir(cache)).toEqual([]);
});

test('if no server can be found or downloaded, the error names what to install and what to set', async () => {
  const environment = { PATH: '', MINIAPP_ENGINE_CACHE: `${await testFolder()}/cache` };
  await expect(findRedis(quiet, environment)).rejects.toThrow(
    /no redis server on PATH[\s\S]*install[\s\S]*redis[\s\S]*REDIS_URL/,
  );
  await expect(findMysql(quiet, environment)).rejects.toThrow(
    /no mysql server on PATH[\s\S]*install[\s\S]*mariadb[\s\S]*MYSQL_URL/i,
  );
});

function fakePackages(): PackageSystem & { fetches: number } {
  return {
    fetches: 0,
    find: async () => system,
    async fetch(_debian, { root }) {
      this.fetches += 1;
      await program(join(root, 'usr/bin/redis-server'), 'Redis server v=7.0.1 sha=0');
      await program(join(root, 'usr/sbin/mariadbd'), 'mariadbd  Ver 10.11.1-MariaDB for debian-linux-gnu');
    },
  };
}

async function program(path: string, version: string, code = 0): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho '${version}'\nexit ${code}\n`);
  await chmod(path, 0o755);
}

async function testFolder(): Promise<string> {
  const folder = await temporaryFolder('binary');
  onTestFinished(folder.remove);
  return folder.path;
}
