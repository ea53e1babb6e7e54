import * as v from 'valibot';
import { AppError, invalidInput } from '../errors.ts';
import type { LockRule } from '../lock/rule.ts';

/** What routes that write have in common. */

/** The header of calls that take effect once for each key. Throws MISSING_IDEMPOTENCY_KEY. */
export const idempotencyHeader = v.pipe(
  v.object({ 'idempotency-key': v.optional(v.string(), '') }),
  v.transform(({ 'idempotency-key': idempotencyKey }) => {
    if (!/^[A-Za-z0-9_-]{16,64}$/.test(idempotencyKey)) throw new AppError('MISSING_IDEMPOTENCY_KEY');
    return { idempotencyKey };
  }),
);

/** The version that the caller has read, in double quotes. undefined: not sent. */
export const ifMatchHeader = v.pipe(
  v.optional(v.string()),
  v.transform((text) => {
    const [, version] = /^"([1-9]\d{0,14})"$/.exec(text ?? '') ?? [];
    if (text !== undefined && version === undefined)
      throw invalidInput({ path: 'headers.if-match', message: 'expected a version in double quotes' });
    return version === undefined ? undefined : Number(version);
  }),
);

/** The limit of calls per minute for one user at one app. Calls that write are always refused without Redis. */
export const perUser = (name: string, limit: number): LockRule => ({
  name,
  by: ['app', 'user'],
  limit,
  windowSeconds: 60,
  count: 'call',
  onError: 'closed',
});
