/** Replaces Lambda: loads built bundles and calls their handlers with a deadline, some on a thread of their own. */
import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { withDeadline } from './deadline.ts';
import { contextMaker } from './lambda-context.mjs';
import { type Facts, type Instance, startThread } from './lambda-thread.ts';
import type { FunctionEntry } from './serverless-file.ts';

export interface Lambda {
  /** Rejects with FunctionTimeout, or with what the handler threw. */
  invoke(functionName: string, event: unknown): Promise<unknown>;
  /** Loads every bundle. Returns those that failed, so that a broken bundle is reported at start-up. */
  load(): Promise<{ functionName: string; error: unknown }[]>;
  /** The next call of each function imports its bundle again, with new module state as in a new instance of Lambda. */
  forget(): void;
  stop(): Promise<void>;
}

/** At a stop. A handler may be late, and cannot be ended. */
const MOST_AWAITED_MS = 5_000;

class FunctionTimeout extends Error {
  override readonly name = 'FunctionTimeout';
}

interface Loaded {
  modifiedAt: number;
  instance: Promise<Instance>;
}

export function startLambda(options: {
  service: string;
  stage: string;
  functions: Map<string, FunctionEntry>;
  distDirectory: string;
  /** Functions on a thread of their own: they would block the event loop for all others (a password hash). */
  workers: string[];
  /** Looks at the bundle's modification time before each call, and loads a new build. */
  reload: boolean;
}): Lambda {
  const loaded = new Map<string, Loaded>();
  const retired = new Set<Promise<void>>();

  /** Ends an instance, which first finishes its running calls. */
  function retire({ instance }: Loaded): void {
    const end = instance.then(
      (present) => present.stop(),
      () => undefined,
    );
    retired.add(end);
    end.finally(() => retired.delete(end));
  }

  const fileOf = ({ bundle }: FunctionEntry): string => join(options.distDirectory, `${bundle}.mjs`);

  /** Removes an instance, unless a newer one has replaced it. */
  function drop(name: string, former: Loaded): void {
    if (loaded.get(name) === former) loaded.delete(name);
  }

  function instanceOf(entry: FunctionEntry): Promise<Instance> {
    const present = loaded.get(entry.name);
    if (present && !(options.reload && modifiedAt(fileOf(entry), present.modifiedAt) !== present.modifiedAt)) {
      return present.instance;
    }
    if (present) retire(present);
    if (!existsSync(fileOf(entry))) return Promise.reject(new Error(`${entry.bundle}.mjs is not built`));
    // The query makes Node import the file again. Otherwise it returns the module that is loaded.
    const url = `${pathToFileURL(fileOf(entry)).href}?loaded=${randomUUID()}`;
    const functionName = `${options.service}-${options.stage}-${entry.name}`;
    const facts = { functionName, memoryMegabytes: entry.memoryMegabytes };
    const entered: Loaded = {
      modifiedAt: modifiedAt(fileOf(entry), 0),
      instance: options.workers.includes(entry.name)
        ? startThread(url, facts, () => drop(entry.name, entered))
        : moduleInstance(url, facts),
    };
    loaded.set(entry.name, entered);
    // The next call loads a bundle that failed to load again, as Lambda would start another instance.
    entered.instance.catch(() => drop(entry.name, entered));
    return entered.instance;
  }

  return {
    async invoke(functionName, event) {
      const entry = options.functions.get(functionName);
      if (!entry) throw new Error(`serverless.yml has no function ${functionName}`);
      const instance = await instanceOf(entry);
      const milliseconds = entry.timeoutSeconds * 1000;
      // Lambda ends a late handler. This process cannot end it, it only stops waiting for it.
      const late = () => new FunctionTimeout(`${functionName} timed out after ${entry.timeoutSeconds} s`);
      return withDeadline(instance.invoke(event, randomUUID(), Date.now() + milliseconds), milliseconds, late);
    },
    async load() {
      const entries = [...options.functions.values()];
      const results = await Promise.allSettled(entries.map(async (entry) => instanceOf(entry)));
      return results.flatMap((result, index) =>
        result.status === 'rejected' ? [{ functionName: entries[index]?.name ?? '', error: result.reason }] : [],
      );
    },
    forget() {
      for (const present of loaded.values()) retire(present);
      loaded.clear();
    },
    async stop() {
      const instances = await Promise.allSettled([...loaded.values()].map(({ instance }) => instance));
      const ends = instances.map((result) => result.status === 'fulfilled' && result.value.stop());
      await Promise.all([...ends, ...retired]);
    },
  };
}

/** While a build replaces the file it may be absent. Until the new file exists the loaded module is used. */
function modifiedAt(file: string, whenAbsent: number): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? whenAbsent;
}

async function moduleInstance(url: string, facts: Facts): Promise<Instance> {
  const { handler } = (await import(/* @vite-ignore */ url)) as { handler?: Handler };
  if (typeof handler !== 'function') throw new Error(`${url} exports no handler`);
  const contextFor = contextMaker(facts);
  const running = new Set<Promise<unknown>>();
  return {
    async invoke(event, awsRequestId, deadline) {
      const call = (async () => handler(event, contextFor(awsRequestId, deadline)))();
      running.add(call);
      return call.finally(() => running.delete(call));
    },
    // Also those calls finish whose client has gone: they may be about to change something.
    async stop() {
      await Promise.race([Promise.allSettled(running), sleep(MOST_AWAITED_MS, undefined, { ref: false })]);
    },
  };
}

type Handler = (event: unknown, context: ReturnType<ReturnType<typeof contextMaker>>) => unknown;
