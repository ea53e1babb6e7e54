const SAME_SIGNAL_MS = 1000;

/**
 * Runs a command that serves until SIGINT or SIGTERM, prints `ready <url>`, and exits: 0 after a signal, 1 with a
 * sentence when it does not start.
 */
export async function serveUntilSignal(start: () => Promise<{ url: string; stop(): Promise<void> }>): Promise<void> {
  let running: { stop(): Promise<void> } | undefined;
  let endingSince = 0;
  const end = async () => {
    // Before it was ready there is nothing to drain, and engines end with their process. The second Ctrl-C means "now";
    // but the first one arrives more than once, from the terminal and from npm.
    if (!running || (endingSince > 0 && performance.now() - endingSince > SAME_SIGNAL_MS)) process.exit(0);
    if (endingSince > 0) return;
    endingSince = performance.now();
    await running.stop().catch((error: unknown) => console.error(`it did not end cleanly: ${String(error)}`));
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
