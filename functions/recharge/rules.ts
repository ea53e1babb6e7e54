import * as v from 'valibot';
import { AppError } from '../../shared/errors.ts';
import type { LockRule } from '../../shared/lock/rule.ts';

/** What the routes of this function share. Throws MISSING_IDEMPOTENCY_KEY. */
export function checkedIdempotencyKey(key: string | undefined): string {
  if (key === undefined || !/^[A-Za-z0-9_-]{16,64}$/.test(key)) throw new AppError('MISSING_IDEMPOTENCY_KEY');
  return key;
}

/** Virtual payment alone takes what wx.login gave: its signature needs the session_key behind it. */
export function checkCode({ provider, code }: { provider: string; code?: string | undefined }): void {
  if ((provider === 'xpay') === (code !== undefined)) return;
  const message = code === undefined ? 'expected a code of wx.login' : 'unknown member';
  throw new AppError('INVALID_INPUT', undefined, { errors: [{ path: 'code', message }] });
}

/** So many calls a minute of one user at one app; money routes are refused when Redis is away in any case. */
export const perUser = (name: string, limit: number): LockRule => ({
  ...{ name, limit },
  by: ['app', 'user'],
  windowSeconds: 60,
  count: 'call',
  onError: 'closed',
});

const limit = v.pipe(
  v.optional(v.pipe(v.string(), v.regex(/^(100|[1-9]\d?)$/, 'expected 1 to 100')), '20'),
  v.transform(Number),
);

/** `after` is the `next` of the page before. */
export const pageQuery = v.pipe(
  v.strictObject({ after: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,120}$/))), limit }),
  v.transform(({ after, limit }) => ({ after, limit })),
);
