import * as v from 'valibot';
import { AppError, invalidInput } from '../../shared/errors.ts';
import type { LockRule } from '../../shared/lock/rule.ts';

/** Rules and schemas that the routes of this function share. */

/** The header of calls that move money once for each key. Throws MISSING_IDEMPOTENCY_KEY. */
export const idempotencyHeader = v.pipe(
  v.object({ 'idempotency-key': v.optional(v.string(), '') }),
  v.transform(({ 'idempotency-key': idempotencyKey }) => {
    if (!/^[A-Za-z0-9_-]{16,64}$/.test(idempotencyKey)) throw new AppError('MISSING_IDEMPOTENCY_KEY');
    return { idempotencyKey };
  }),
);

/** The limit of calls per minute for one user at one app. Calls that move money are always refused without Redis. */
export const perUser = (name: string, limit: number): LockRule => ({
  name,
  by: ['app', 'user'],
  limit,
  windowSeconds: 60,
  count: 'call',
  onError: 'closed',
});

const limit = v.pipe(
  v.optional(v.pipe(v.string(), v.regex(/^(100|[1-9]\d?)$/, 'expected 1 to 100')), '20'),
  v.transform(Number),
);

/** `after` is the `next` of the previous page; `readPlace` reads the place in the list from it. */
export const pageQuery = <Place>(readPlace: (cursor: string) => Place | null) =>
  v.strictObject({
    after: v.optional(
      v.pipe(
        v.string(),
        v.transform((cursor) => {
          const place = readPlace(cursor);
          if (place === null)
            throw invalidInput({ path: 'query.after', message: 'expected the value of next of an earlier page' });
          return place;
        }),
      ),
    ),
    limit,
  });
