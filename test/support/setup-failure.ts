/** An error of a set-up, for the person at the terminal: its sentences alone, since no line of ours is at fault. */
export function setupFailure(what: string, error: unknown, help: string): Error {
  const reason = error instanceof Error ? error.message : String(error);
  const failure = new Error(`${what}\n${reason}\n${help}`);
  failure.stack = '';
  return failure;
}
