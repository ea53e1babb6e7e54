import { createHash } from 'node:crypto';
import type { Script } from '../../shared/script.ts';

/** Changes a script in this process; returns a function that restores it. Throws if the script does not hold `from`. */
export function mutate(script: Script, from: string, to: string): () => void {
  const original = script.text;
  if (!original.includes(from)) throw new Error(`the script does not contain ${JSON.stringify(from)}`);
  setText(script, original.replace(from, to));
  return () => setText(script, original);
}

function setText(script: Script, text: string): void {
  Object.assign(script, { text, sha1: createHash('sha1').update(text).digest('hex'), loaded: false });
}
