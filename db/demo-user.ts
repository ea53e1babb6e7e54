import { randomBytes } from 'node:crypto';
import argon2 from 'hash-wasm/dist/argon2.umd.min.js';
import { DatabaseTaskError, type Execute } from './execute.ts';
import { insertMissing } from './insert-missing.ts';
import { sampleBookings, sampleReviews } from './seed/own-records.ts';

const ACCOUNT = 'demo';
const PASSWORD = 'demo-password-1';

const vouchers = [
  { id: 1, title: '新邻居见面礼 · Welcome, neighbour', amountFen: 1000 },
  { id: 2, title: '雨天外送免运费 · Free delivery on rainy days', amountFen: 600 },
  { id: 3, title: '周年庆满减券 · Anniversary voucher', amountFen: 5000 },
];
const VOUCHERS_END = '2030-12-31 16:00:00.000';

/**
 * Creates account `demo` with its vouchers, bookings and reviews, where they are missing. Returns the id of the demo
 * user, which stays the same.
 */
export async function seedDemoUser(execute: Execute): Promise<string> {
  const userId = (await findDemoUser(execute)) ?? (await createDemoUser(execute));
  await insertMissing(
    execute,
    'vouchers',
    ['id', 'user_id', 'title', 'amount_fen', 'expires_at'],
    vouchers.map(({ id, title, amountFen }) => [id, userId, title, amountFen, VOUCHERS_END]),
  );
  await insertMissing(
    execute,
    'bookings',
    ['id', 'user_id', 'service_id', 'day', 'note', 'status', 'created_at'],
    sampleBookings.map(({ id, serviceId, day, note, status, createdAt }) => {
      return [id, userId, serviceId, day, note, status, createdAt];
    }),
  );
  await insertMissing(
    execute,
    'reviews',
    ['id', 'user_id', 'service_id', 'stars', 'words', 'created_at'],
    sampleReviews.map(({ id, serviceId, stars, words, createdAt }) => {
      return [id, userId, serviceId, stars, words, createdAt];
    }),
  );
  await giveToDemoUser(execute, 'vouchers', vouchers, userId);
  await giveToDemoUser(execute, 'bookings', sampleBookings, userId);
  await giveToDemoUser(execute, 'reviews', sampleReviews, userId);
  return userId;
}

/** If the demo account was erased, its records have no owner. The new demo account becomes their owner. */
async function giveToDemoUser(
  execute: Execute,
  table: string,
  records: ReadonlyArray<{ id: number }>,
  userId: string,
): Promise<void> {
  await execute(
    `UPDATE ${table} SET user_id = ?, deleted_at = NULL, version = version + 1
     WHERE id IN (${records.map(() => '?').join(', ')}) AND user_id <> ?
       AND NOT EXISTS (SELECT 1 FROM users WHERE users.user_id = ${table}.user_id AND users.erased_at IS NULL)`,
    [userId, ...records.map(({ id }) => id), userId],
  );
}

/** null: there is no demo user. */
async function findDemoUser(execute: Execute): Promise<string | null> {
  const [row] = await execute('SELECT user_id FROM users WHERE account = ?', [ACCOUNT]);
  return row ? String(row.user_id) : null;
}

async function createDemoUser(execute: Execute): Promise<string> {
  const passwordHash = await argon2.argon2id({
    password: PASSWORD,
    salt: randomBytes(16),
    memorySize: 19_456,
    iterations: 2,
    parallelism: 1,
    hashLength: 32,
    outputType: 'encoded',
  });
  await insertMissing(
    execute,
    'users',
    ['user_id', 'account', 'password_hash', 'profile'],
    [
      [
        randomBytes(16).toString('base64url').replace(/^[-_]/, 'u'),
        ACCOUNT,
        passwordHash,
        JSON.stringify({ nickname: 'Demo' }),
      ],
    ],
  );
  const userId = await findDemoUser(execute);
  if (userId === null)
    throw new DatabaseTaskError('Account demo disappeared right after it was created. Run seed again.');
  return userId;
}
