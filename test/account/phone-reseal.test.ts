import { randomBytes } from 'node:crypto';
import type { RowDataPacket } from 'mysql2/promise';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { findUser } from '../../shared/account/admin.ts';
import { linkPhone } from '../../shared/account/link.ts';
import { numberOf, phoneOf } from '../../shared/account/phone.ts';
import { ownSession } from '../support/bearer-session.ts';
import { insertAccount } from '../support/known-accounts.ts';
import { portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** Phone numbers through a change of the master key: their rows are found by a hash under it. */
let stack: TestStack;
let app: TestApp;
let former: string;
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
  former = process.env.MASTER_KEY ?? '';
});
afterEach(async () => {
  if (process.env.MASTER_KEY !== former) {
    process.env.MASTER_KEY_OLD = process.env.MASTER_KEY;
    process.env.MASTER_KEY = former;
    await portalJson(['master-key', 'reseal']);
  }
  delete process.env.MASTER_KEY_OLD;
});

async function userWith(number: string): Promise<string> {
  const { userId } = await insertAccount(stack.mysql);
  await linkPhone(await ownSession(app.appId, userId), phoneOf({ number, masked: '138****0000' }));
  return userId;
}
const changeKey = (): void => {
  process.env.MASTER_KEY = randomBytes(32).toString('hex');
  process.env.MASTER_KEY_OLD = former;
};
const ownerOf = async (number: string) => (await findUser('phone', number))?.userId;
const reseal = () => portalJson(['master-key', 'reseal']);
async function rowsOf(userId: string) {
  const sql = "SELECT subject, sealed FROM identities WHERE user_id = ? AND platform = 'phone'";
  return (await stack.mysql.query<RowDataPacket[]>(sql, [userId]))[0] as Array<{ subject: string; sealed: string }>;
}

test('a number is found before, after, and when the former key is gone', async () => {
  // More than one page.
  const numbers = Array.from({ length: 205 }, (_, i) => `+86138${10_000_000 + i}`);
  const users: string[] = [];
  for (const number of numbers) users.push(await userWith(number));
  const [number = '', user = ''] = [numbers[0], users[0]];
  changeKey();
  expect(await ownerOf(number)).toBe(user);
  const report = await reseal();
  expect([report.resealed['identities.sealed'], report.unreadable]).toEqual([numbers.length, []]);
  expect(await ownerOf(number)).toBe(user);
  delete process.env.MASTER_KEY_OLD;
  expect(await Promise.all(numbers.map(ownerOf))).toEqual(users);
  const [row, ...others] = await rowsOf(user);
  expect(numberOf({ platform: 'phone', platformApp: '', ...row, subject: row?.subject ?? '' })).toBe(number);
  expect(others).toEqual([]);
  process.env.MASTER_KEY_OLD = former;
  expect((await reseal()).resealed['identities.sealed']).toBe(0);
});

test('a number that is linked after the change of the key has one row', async () => {
  const [number, next] = ['+8613900000001', '+8613900000002'];
  const user = await userWith(number);
  changeKey();
  await linkPhone(await ownSession(app.appId, user), phoneOf({ number, masked: '139****0001' }));
  await reseal();
  expect(await rowsOf(user)).toHaveLength(1);
  await linkPhone(await ownSession(app.appId, user), phoneOf({ number: next, masked: '139****0002' }));
  expect([await ownerOf(number), await ownerOf(next)]).toEqual([undefined, user]);
});

test('a number that two users have under two keys is named and stays as it is', async () => {
  const number = '+8613900000003';
  const first = await userWith(number);
  process.env.MASTER_KEY = randomBytes(32).toString('hex');
  await portalJson(['master-key', 'accept']);
  // As a function does that does not know the former key.
  const second = await userWith(number);
  process.env.MASTER_KEY_OLD = former;
  const before = [await rowsOf(first), await rowsOf(second)];
  const report = await reseal();
  expect(report.unreadable).toEqual([`identities.sealed of phone ${before[0]?.[0]?.subject}`]);
  expect([await rowsOf(first), await rowsOf(second)]).toEqual(before);
  await stack.mysql.query('DELETE FROM identities WHERE user_id = ?', [second]);
});
