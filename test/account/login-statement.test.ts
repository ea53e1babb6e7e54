import type { RowDataPacket } from 'mysql2/promise';
import { beforeAll, expect, test } from 'vitest';
import { ERASE } from '../../shared/account/erase-statement.ts';
import { type IdentityWorld, startIdentityWorld } from '../support/identity-world.ts';

/** A login looks in several places for its user. Each of them is found by a key, however many users there are. */
const USERS = 20_000;
let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld();
  const { mysql } = world.stack;
  await mysql.query(
    `INSERT INTO users (user_id, account, wechat_openid, channel, channel_user_id, account_address, profile)
     SELECT CONCAT('u', seq), CONCAT('n', seq), CONCAT('o', seq), 'demo', CONCAT('c', seq), CONCAT('a', seq), '{}'
       FROM seq_1_to_${USERS}`,
  );
  for (const [platform, app] of [
    ['wechat', world.stack.env.WECHAT_APPID],
    ['wechat-union', ''],
    ['channel', 'demo'],
    ['phone', ''],
  ]) {
    await mysql.query(
      `INSERT INTO identities (platform, platform_app, subject, user_id)
       SELECT ?, ?, CONCAT('s', seq), CONCAT('u', seq) FROM seq_1_to_${USERS}`,
      [platform, app],
    );
  }
});

test('erasing a user, and the export, find the extra fields of one user among those of all', async () => {
  const { mysql } = world.stack;
  await mysql.query(
    `INSERT INTO user_fields (app_id, user_id, fields) SELECT 'app', CONCAT('u', seq), '{}' FROM seq_1_to_${USERS}`,
  );
  await mysql.query('ANALYZE TABLE user_fields, sessions, users');
  const [plan] = await mysql.query<RowDataPacket[]>(`EXPLAIN ${ERASE}`, ['u42']);
  expect(plan.filter(({ rows }) => Number(rows) > 40)).toEqual([]);
  expect(await rowsRead("SELECT app_id, fields, updated_at FROM user_fields WHERE user_id = 'u42'")).toBeLessThan(40);
});

/** The statements that read users while `work` runs, with their values. */
async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  world.stack.faults.mysql = ({ sql = '' }) => {
    if (/^SELECT[\s\S]*\busers\b/i.test(sql.trim())) seen.push(sql);
    return undefined;
  };
  try {
    await work();
  } finally {
    world.stack.faults.mysql = undefined;
  }
  return seen;
}

async function rowsRead(sql: string): Promise<number> {
  const { mysql } = world.stack;
  await mysql.query('FLUSH STATUS');
  await mysql.query(sql);
  const [rows] = await mysql.query<RowDataPacket[]>("SHOW SESSION STATUS LIKE 'Handler_read%'");
  return rows.reduce((sum, row) => sum + Number(row.Value), 0);
}

const logins: Array<[by: string, work: () => Promise<unknown>, statements: number]> = [
  ['WeChat, a first login', () => world.logIn('the-person'), 2],
  ['WeChat, a known person', () => world.logIn('the-person'), 1],
  ['WeChat, at the second mini-program', () => world.logIn('the-person', world.other), 2],
  ['a channel', () => world.channelMember('the-channel-user'), 2],
];

test.each(logins)('by %s: each statement reads a few rows of 20 000 users', async (_, work, statements) => {
  const seen = await statementsOf(work);
  expect(seen.length).toBeGreaterThanOrEqual(statements);
  for (const sql of seen) expect(await rowsRead(sql), sql).toBeLessThan(40);
});

test('the check of a session and the list of identities read a few rows, too', async () => {
  const member = await world.wechatMember('the-person');
  const seen = await statementsOf(async () => {
    expect((await world.call(member, 'GET', '/me')).status).toBe(200);
    expect(await world.identities(member)).not.toEqual([]);
  });
  expect(seen.length).toBeGreaterThanOrEqual(2);
  for (const sql of seen) expect(await rowsRead(sql), sql).toBeLessThan(40);
});
