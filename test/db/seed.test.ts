import argon2 from 'hash-wasm/dist/argon2.umd.min.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Execute } from '../../db/execute.ts';
import { migrate } from '../../db/migrate.ts';
import { sampleItems } from '../../db/seed/items.ts';
import { sampleNotices } from '../../db/seed/notices.ts';
import { sampleProducts } from '../../db/seed/products.ts';
import { sampleServices } from '../../db/seed/services.ts';
import { seed } from '../../db/seed.ts';
import { freshExecute } from '../support/mysql-execute.ts';

let database: Awaited<ReturnType<typeof freshExecute>>;
let execute: Execute;
beforeAll(async () => {
  database = await freshExecute('seed');
  execute = database.execute;
  await migrate(execute);
});
afterAll(() => database.close());

const tables = ['services', 'notices', 'products', 'items', 'users', 'vouchers', 'bookings', 'reviews'];
const ofTheDemoUser = ['vouchers', 'bookings', 'reviews'];
const everything = async () => {
  const rows = await Promise.all(tables.map((table) => execute(`SELECT * FROM ${table} ORDER BY 1`)));
  return Object.fromEntries(tables.map((table, index) => [table, rows[index] ?? []]));
};
const count = async (table: string) =>
  (await execute(`SELECT COUNT(*) AS n, MIN(id) AS low, MAX(id) AS high FROM ${table}`))[0];

test('without the sandbox there is no account with a published password', async () => {
  expect(await seed(execute, { sandbox: false })).toMatchObject({ demoUserId: null });
  expect(await execute('SELECT * FROM users')).toEqual([]);
  for (const table of ofTheDemoUser) expect(await execute(`SELECT * FROM ${table}`)).toEqual([]);
});

test('services and notices have ids from 1 without a gap, and coins can be bought and spent on items', async () => {
  await seed(execute, { sandbox: true });
  expect(await count('services')).toEqual({ n: 1200, low: 1, high: 1200 });
  expect(await count('notices')).toEqual({ n: 1000, low: 1, high: 1000 });
  for (const table of ofTheDemoUser) expect(await count(table), table).toEqual({ n: 3, low: 1, high: 3 });
  const [product] = await execute("SELECT * FROM products WHERE product_id = 'coins-100'");
  expect(product).toMatchObject({ amount_fen: 1000, currency: 'CNY', units: 100, asset: 'coin', active: 1 });
  const items = await execute('SELECT item_id, title, amount FROM items WHERE active = 1 ORDER BY item_id');
  expect(items).toEqual(sampleItems.map(({ itemId, title, amount }) => ({ item_id: itemId, title, amount })));
});

test('Chinese text, quotes and publication times are stored unchanged', async () => {
  const rows = await execute(
    "SELECT id, title, body, DATE_FORMAT(published_at, '%Y-%m-%dT%H:%i:%s.000Z') AS at FROM notices ORDER BY id",
  );
  expect(rows.map(({ id, title, body, at }) => [id, title, body, at])).toEqual(
    sampleNotices().map(({ id, title, body, publishedAt }) => [id, title, body, publishedAt.toISOString()]),
  );
});

test('the demo account logs in with its password, and owns its vouchers, bookings and reviews', async () => {
  const { demoUserId } = await seed(execute, { sandbox: true });
  const [user] = await execute("SELECT * FROM users WHERE account = 'demo'");
  expect(user?.user_id).toBe(demoUserId);
  expect(demoUserId).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(user?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await argon2.argon2Verify({ password: 'demo-password-1', hash: String(user?.password_hash) })).toBe(true);
  const profile = typeof user?.profile === 'string' ? JSON.parse(user.profile) : user?.profile;
  expect(profile).toEqual({ nickname: 'Demo' });
  for (const table of ofTheDemoUser) {
    expect(await execute(`SELECT DISTINCT user_id FROM ${table}`), table).toEqual([{ user_id: demoUserId }]);
  }
});

test('a second seed changes nothing, not even a time stamp', async () => {
  const before = await everything();
  await seed(execute, { sandbox: true });
  expect(await everything()).toEqual(before);
});

test('a second seed keeps what an operator changed, switched off or deleted', async () => {
  await execute("UPDATE services SET name = 'ours', price_fen = 1, version = 9 WHERE id = 7");
  await execute('UPDATE notices SET deleted_at = NOW(3) WHERE id = 8');
  await execute("UPDATE products SET active = 0, amount_fen = 590 WHERE product_id = 'coins-60'");
  await execute("UPDATE items SET active = 0, amount = 4 WHERE item_id = 'hat'");
  await execute("UPDATE users SET password_hash = 'changed' WHERE account = 'demo'");
  await execute('DELETE FROM services WHERE id = 1200');
  const before = await everything();
  await seed(execute, { sandbox: true });
  const after = await everything();
  expect(after).toEqual({ ...before, services: [...(before.services ?? []), expect.objectContaining({ id: 1200 })] });
});

test('a new demo account gets the records of an erased one, and no other user loses a record', async () => {
  const { demoUserId: erased } = await seed(execute, { sandbox: true });
  await execute("UPDATE users SET account = NULL, erased_at = NOW(3) WHERE account = 'demo'");
  await execute("INSERT INTO users (user_id, account, profile) VALUES ('somebody-else-00000000', 'else', '{}')");
  for (const table of ofTheDemoUser) {
    await execute(`UPDATE ${table} SET user_id = 'somebody-else-00000000' WHERE id = 2`);
    await execute(`UPDATE ${table} SET deleted_at = NOW(3) WHERE id = 3`);
  }
  const { demoUserId } = await seed(execute, { sandbox: true });
  expect(demoUserId).not.toBe(erased);
  for (const table of ofTheDemoUser) {
    const rows = await execute(`SELECT user_id, deleted_at FROM ${table} ORDER BY id`);
    expect(rows.map(({ user_id }) => user_id)).toEqual([demoUserId, 'somebody-else-00000000', demoUserId]);
    expect(rows.map(({ deleted_at }) => deleted_at)).toEqual([null, null, null]);
  }
});

test('two seeds at the same time create one demo account', async () => {
  await execute("DELETE FROM users WHERE account = 'demo'");
  const [one, two] = await Promise.all([seed(execute, { sandbox: true }), seed(execute, { sandbox: true })]);
  expect(one.demoUserId).toBe(two.demoUserId);
});

test('no sample text is empty, too long or has a placeholder, and no two services have the same name', () => {
  const services = sampleServices();
  const notices = sampleNotices();
  expect(new Set(services.map(({ name }) => name)).size).toBe(services.length);
  const texts = [...services.flatMap((s) => [s.name, s.description]), ...notices.flatMap((n) => [n.title, n.body])];
  for (const text of texts) {
    expect(text).not.toMatch(/undefined|[{}]|\s\s/);
    expect(text.length).toBeGreaterThan(4);
    expect(text.length).toBeLessThan(400);
  }
  expect(services.every(({ priceFen }) => Number.isSafeInteger(priceFen) && priceFen > 0 && priceFen % 100 === 0)).toBe(
    true,
  );
  expect(notices.some(({ title }) => /^[\x20-\x7e’]+$/.test(title))).toBe(true);
  expect(notices.some(({ title }) => /\p{Script=Han}/u.test(title))).toBe(true);
  expect(sampleProducts.every(({ amountFen, units }) => amountFen === units * 10)).toBe(true);
});
