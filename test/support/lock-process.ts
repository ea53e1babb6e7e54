import { requestOf, rule, verdictOf } from './admission-call.ts';
import { workTogether } from './process-work.ts';

/** One of several processes that call at the same time; together they make 500 calls. */
await workTogether(async (index) => {
  const calls = index < 4 ? 63 : 62;
  const verdicts = await Promise.all(
    Array.from({ length: calls }, () => verdictOf(requestOf([rule({ limit: 37, lockSeconds: 300 })]))),
  );
  return verdicts.map(({ verdict }) => verdict);
});
