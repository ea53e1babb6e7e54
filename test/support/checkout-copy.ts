import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { projectFolder } from './package-template.ts';

const NOT_COPIED = new Set(['node_modules', '.git', '.data', '.serverless', 'coverage']);

export interface CheckoutCopy {
  path: string;
  read(file: string): string;
  write(file: string, text: string): void;
  /** Replaces a text that the file contains exactly once; throws otherwise. */
  edit(file: string, from: string, to: string): void;
  remove(): void;
}

/** A copy of the checkout that a test may change. It shares the packages, but not engines and data. */
export function copyCheckout(): CheckoutCopy {
  const path = mkdtempSync(join(tmpdir(), 'miniapp-test-copy-'));
  for (const name of readdirSync(projectFolder)) {
    if (NOT_COPIED.has(name)) continue;
    cpSync(join(projectFolder, name), join(path, basename(name)), { recursive: true });
  }
  symlinkSync(join(projectFolder, 'node_modules'), join(path, 'node_modules'));
  const read = (file: string) => readFileSync(join(path, file), 'utf8');
  const write = (file: string, text: string) => writeFileSync(join(path, file), text);
  return {
    path,
    read,
    write,
    edit(file, from, to) {
      const text = read(file);
      if (text.split(from).length !== 2) throw new Error(`${file} does not hold once: ${from}`);
      write(
        file,
        text.replace(from, () => to),
      );
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
