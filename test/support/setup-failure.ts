/** An error of a set-up. It prints only its sentences, without a stack: no line of the code is wrong. */
export function setupFailure(what: string, error: unknown, help: string): Error {
  const reason = error instanceof Error ? error.message : String(error);
  const failure = new Error(`${what}\n${reason}\n${help}`);
  failure.stack = '';
  return failure;
}
