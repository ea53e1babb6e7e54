import { ContentionError, EngineError } from './errors.ts';
import { remainingMs } from './telemetry.ts';

const PAUSE_MS = 10;

/**
 * Repeats work on MySQL while another statement stands in its way: at most `tries` times in all, after pauses that grow
 * and vary so that two rivals part, and only while the invocation has time for the next pause.
 *
 * Safe to repeat is what contention leaves without a trace: one autocommit statement, or a transaction from its BEGIN.
 * Of several autocommit statements the first may be in force when the second is refused: then each of them has to be
 * harmless when it comes twice. `lostAnswers` repeats after an unknown outcome too, which only a unique key, or a guard
 * in the statement itself, makes safe.
 *
 * Throws what the last try threw: ContentionError when it met contention as well.
 */
export async function repeatOnContention<T>(
  work: () => Promise<T>,
  { tries = 3, lostAnswers = false }: { tries?: number; lostAnswers?: boolean } = {},
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const lost = lostAnswers && error instanceof EngineError && error.outcome === 'unknown';
      const pauseMs = attempt * PAUSE_MS * (1 + Math.random());
      const mayPass = error instanceof ContentionError || lost;
      if (!mayPass || attempt >= tries || remainingMs(pauseMs) < pauseMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
