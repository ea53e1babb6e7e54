import { inject } from 'vitest';

declare module 'vitest' {
  export interface ProvidedContext {
    bundles: string;
  }
}

/** The folder with the functions' bundles. They are built at the start of each run, so they are never older than it. */
export function bundleFolder(): string {
  return inject('bundles');
}
