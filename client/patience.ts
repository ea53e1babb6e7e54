// Limits for what the platform does: of time, because not every platform calls back, and by a signal of the program.
import { localError } from './api-error.ts';

// The only platform functions that are not passed in. Some test environments have none.
declare function setTimeout(run: () => void, milliseconds: number): unknown;
declare function clearTimeout(timer: unknown): void;

/** An AbortSignal, or an object of the program's own: mini-programs have no AbortController. */
export interface StopSignal {
  readonly aborted: boolean;
  addEventListener(event: 'abort', listener: () => void): void;
  removeEventListener?(event: 'abort', listener: () => void): void;
}

/** The outcome of `work`, which may also throw at once. Rejects with TIMEOUT after the time. */
export function within<T>(milliseconds: number, work: () => T | Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const late = (): void => reject(localError('TIMEOUT', `no answer within ${milliseconds} ms`));
    const timer = typeof clearTimeout === 'function' ? setTimeout(late, milliseconds) : 0;
    const done = (): void => {
      if (timer) clearTimeout(timer);
    };
    new Promise<T>((start) => start(work())).then(resolve, reject).then(done);
  });
}

/** Calls `abort` when the signal says so, until `work` has settled. */
export function onAbort<T>(signal: StopSignal | undefined, abort: () => void, work: Promise<T>): Promise<T> {
  if (!signal) return work;
  signal.addEventListener('abort', abort);
  const done = (): void => {
    if (signal.removeEventListener) signal.removeEventListener('abort', abort);
  };
  work.then(done, done);
  return work;
}

/** Rejects with ABORTED as soon as the signal says so. What `work` sent may still take effect. */
export function unlessAborted<T>({ signal }: { signal?: StopSignal } = {}, work: () => Promise<T>): Promise<T> {
  if (!signal) return work();
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(localError('ABORTED', 'by the program'));
    if (signal.aborted) return abort();
    onAbort(signal, abort, work()).then(resolve, reject);
  });
}
