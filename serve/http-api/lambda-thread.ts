import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

export interface Instance {
  invoke(event: unknown, awsRequestId: string, deadline: number): Promise<unknown>;
  /** Waits for running calls, then ends. */
  stop(): Promise<void>;
}

export interface Facts {
  functionName: string;
  memoryMegabytes: number;
}

const drainMilliseconds = 10_000;

/**
 * Starts a function on a thread of its own, so that a password hash does not block the other functions. Resolves when
 * the function is loaded. `onEnd` is called when the thread ends and takes no more calls.
 */
export async function startThread(url: string, facts: Facts, onEnd: () => void): Promise<Instance> {
  // The bundle is plain JavaScript, so the thread needs no loaders of this process.
  const worker = new Worker(new URL('./lambda-worker.mjs', import.meta.url), {
    workerData: { url, facts },
    execArgv: [],
  });
  const waiting = new Map<string, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  let ended: Error | undefined;
  let drained: (() => void) | undefined;
  worker.on('message', ({ id, result, error }: ThreadAnswer) => {
    const caller = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) caller?.resolve(result);
    else caller?.reject(new Error(error));
    if (waiting.size === 0) drained?.();
  });
  const end = (error: Error): void => {
    ended ??= error;
    onEnd();
    for (const caller of waiting.values()) caller.reject(error);
    waiting.clear();
    drained?.();
  };
  worker.on('error', end);
  worker.on('exit', () => end(new Error(`the thread of ${facts.functionName} ended`)));

  function ask(asked: ThreadCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (ended) return reject(ended);
      waiting.set(asked.id, { resolve, reject });
      worker.postMessage(asked);
    });
  }

  const instance: Instance = {
    invoke: (event, id, deadline) => ask({ id, call: { event, deadline } }),
    async stop() {
      const idle = new Promise<void>((resolve) => {
        drained = resolve;
        if (waiting.size === 0) resolve();
      });
      await Promise.race([idle, sleep(drainMilliseconds, undefined, { ref: false })]);
      await worker.terminate();
    },
  };
  try {
    await ask({ id: 'load' });
    worker.unref();
    return instance;
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

/** A message to the thread. Without `call` the thread answers when the bundle is loaded. */
export interface ThreadCall {
  id: string;
  call?: { event: unknown; deadline: number };
}

interface ThreadAnswer {
  id: string;
  result?: unknown;
  error?: string;
}
