const SAME_SIGNAL_MS = 1000;

/**
 * Runs a command that serves until SIGINT or SIGTERM. Prints `ready <url>`. Exits with 0 after a signal, and with 1 and
 * an error message if the start fails.
 */
export async function serveUntilSignal(start: () => Promise<{ url: string; stop(): Promise<void> }>): Promise<void> {
  let running: { stop(): Promise<void> } | undefined;
  let endingSince = 0;
  const end = async () => {
    // Before it is ready it has no requests, and engines end with their process. A second Ctrl-C ends it at once. The
    // first Ctrl-C arrives more than once, from the terminal and from npm: a signal soon after it is not a second one.
    if (!running || (endingSince > 0 && performance.now() - endingSince > SAME_SIGNAL_MS)) process.exit(0);
    if (endingSince > 0) return;
    endingSince = performance.now();
    await running.stop().catch((error: unknown) => console.error(`the process did not end cleanly: ${String(error)}`));
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end());
  try {
    const { url, stop } = await start();
    running = { stop };
    console.log(`ready ${url}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}
