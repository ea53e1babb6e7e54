import { ContentionError, EngineError, InterruptedTransaction } from './errors.ts';
import { remainingMs } from './telemetry.ts';

const PAUSE_MS = 10;

/**
 * Repeats work on MySQL that failed because of another statement (a deadlock or a lock wait). `tries` counts all
 * attempts. The pauses grow and vary, so that two competing calls do not collide again. There is no further attempt
 * when the invocation has no time left for the pause.
 *
 * After contention nothing of the failed statement was applied. So it is safe to repeat one autocommit statement, or a
 * transaction from its BEGIN. If `work` has several autocommit statements, the first may be applied when the second
 * fails: then each must do no harm when it is applied twice.
 *
 * `lostAnswers`: repeat also when the outcome is unknown. Only a unique key, or a condition in the statement itself,
 * makes this safe.
 *
 * Throws the error of the last attempt. Where an earlier one may have been applied, the outcome stays unknown.
 */
export async function repeatOnContention<T>(
  work: () => Promise<T>,
  { tries = 3, lostAnswers = false }: { tries?: number; lostAnswers?: boolean } = {},
): Promise<T> {
  let mayBeApplied: EngineError | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isUnknown = error instanceof EngineError && error.outcome === 'unknown';
      const lost = lostAnswers && (isUnknown || error instanceof InterruptedTransaction);
      if (isUnknown) mayBeApplied = error;
      const pauseMs = attempt * PAUSE_MS * (1 + Math.random());
      const mayRetry = error instanceof ContentionError || lost;
      if (!mayRetry || attempt >= tries || remainingMs(pauseMs) < pauseMs) {
        throw error instanceof EngineError ? (mayBeApplied ?? error) : error;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
