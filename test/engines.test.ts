import { Redis } from 'ioredis';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { expect, onTestFinished, test } from 'vitest';
import { freshDatabase, freshRedis } from './engines.ts';

test('a fresh Redis answers and is empty', async () => {
  const server = await freshRedis();
  onTestFinished(() => server.stop());
  const client = new Redis(server.url);
  onTestFinished(() => client.disconnect());
  expect(await client.dbsize()).toBe(0);
  expect(await client.set('a', '1')).toBe('OK');
});

test('a fresh database behaves as MySQL 8 does: strict, utf8mb4, UTC', async () => {
  const database = await freshDatabase();
  onTestFinished(() => database.drop());
  const connection = await createConnection(database.url);
  onTestFinished(() => connection.destroy());
  const [rows] = await connection.query<RowDataPacket[]>(
    'SELECT @@sql_mode AS mode, @@character_set_database AS charset, @@time_zone AS zone',
  );
  expect(rows[0]?.mode).toContain('STRICT_TRANS_TABLES');
  expect(rows[0]?.mode).toContain('ONLY_FULL_GROUP_BY');
  expect(rows[0]?.charset).toBe('utf8mb4');
  expect(rows[0]?.zone).toBe('+00:00');
});
