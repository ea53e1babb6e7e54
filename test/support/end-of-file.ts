/**
 * What a test file starts in a hook ends with the file. Vitest ignores an afterAll() that is called while a hook runs; the
 * set-up file calls endFile() for every test file. The list is global, because each file loads this module again.
 */
const kept = globalThis as { endsOfFile?: Array<() => unknown> };
kept.endsOfFile ??= [];
const ends = kept.endsOfFile;

export const atEndOfFile = (stop: () => unknown): void => void ends.push(stop);

/** The last one that was started ends first. */
export async function endFile(): Promise<void> {
  for (const stop of ends.splice(0).reverse()) await stop();
}
