type End = () => Promise<void>;

/**
 * Starts several things as one: `stop` ends them in reverse order, once, and a start that fails on its way ends what it
 * had. What cannot be ended holds up nothing else; the first such error is thrown at last.
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
    await stop().catch(() => {}); // why it did not start matters more
    throw error;
  }
}

async function endAll(ends: End[]): Promise<void> {
  const errors: unknown[] = [];
  for (const end of ends) await end().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}
