import * as v from 'valibot';
import { Answer } from '../../shared/http/answer.ts';
import { type Done, REPLAYED } from '../../shared/recharge/spend.ts';
import { hasVisibleText } from '../../shared/visible-text.ts';

/** What the routes of this function have in common. */

export const userPath = v.object({ userId: v.string() });

export const units = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(1_000_000_000));

export const reason = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(200),
  v.regex(/^[^\p{Cc}\p{Cs}]*$/u),
  v.check(hasVisibleText, 'expected visible text'),
);

/** The lock rules count by the user that the path names. */
export const namedUser = ({ path }: { path: { userId: string } }) => ({ user: path.userId });

export const answerOf = <T>({ result, replayed }: Done<T>): T | Answer =>
  replayed ? new Answer(result, REPLAYED) : result;
