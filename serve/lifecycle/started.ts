type End = () => Promise<void>;

/**
 * Starts several parts as one. `stop` ends them once, in reverse order. If the start fails, the parts that run already
 * are ended. If a part does not end, `stop` still ends the others, and throws the first error after that.
 */
export async function startTogether<T extends object>(
  start: (onStop: (end: End) => void) => Promise<T>,
): Promise<T & { stop(): Promise<void> }> {
  const ends: End[] = [];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= endAll(ends);
    return stopped;
  };
  try {
    return { ...(await start((end) => ends.unshift(end))), stop };
  } catch (error) {
    await stop().catch(() => {}); // the error of the start is more useful
    throw error;
  }
}

async function endAll(ends: End[]): Promise<void> {
  const errors: unknown[] = [];
  for (const end of ends) await end().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}
