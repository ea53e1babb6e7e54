import { createHash } from 'node:crypto';
import type { Script } from '../../shared/script.ts';

/** Changes a script in this process; answers what changes it back. Throws when `from` does not stand in it. */
export function mutate(script: Script, from: string, to: string): () => void {
  const original = script.text;
  if (!original.includes(from)) throw new Error(`the script holds no ${JSON.stringify(from)}`);
  setText(script, original.replace(from, to));
  return () => setText(script, original);
}

function setText(script: Script, text: string): void {
  Object.assign(script, { text, sha1: createHash('sha1').update(text).digest('hex'), loaded: false });
}
