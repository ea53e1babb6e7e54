import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The place in the source where an error was made, also when the command runs as a bundle. undefined: unknown. */
export function placeOf(error: Error): string | undefined {
  const [, address = '', line = '', column = ''] =
    /\n\s+at .*?((?:file:|\/)[^\s()]+):(\d+):(\d+)/.exec(error.stack ?? '') ?? [];
  if (address === '') return undefined;
  const file = address.startsWith('file:') ? fileURLToPath(address) : address;
  return sourceOf(file, Number(line), Number(column)) ?? `${file}:${line}`;
}

/** undefined: the file has no source map. */
function sourceOf(file: string, line: number, column: number): string | undefined {
  try {
    const entry = new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8'))).findEntry(line - 1, column - 1);
    if (!('originalSource' in entry)) return undefined;
    // From the bundle's folder up to the checkout, and down to the source.
    return `${entry.originalSource.replace(/^(\.\.\/)+/, '')}:${entry.originalLine + 1}`;
  } catch {
    return undefined;
  }
}
