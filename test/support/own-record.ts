import { randomInt } from 'node:crypto';
import type { Connection } from 'mysql2/promise';
import type { RouteRow } from './every-route.ts';

/** The route, called for a new record of this user where it changes or deletes one. Other routes are unchanged. */
export async function withOwnRecord(mysql: Connection, row: RouteRow, userId: string): Promise<RouteRow> {
  if (!/^(PUT|DELETE) \/data\//.test(row.route)) return row;
  const id = randomInt(1, 2 ** 47);
  await mysql.execute(
    `INSERT INTO bookings (id, user_id, service_id, day, note, status, created_at)
     VALUES (?, ?, 1, '2030-05-01', 'n', 'requested', NOW(3))`,
    [id, userId],
  );
  return { ...row, path: `/data/booking/${id}` };
}
