import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EngineAnswer } from '../faults.ts';
import type { Argument } from './redis-connection.ts';
import { BatchBuilder, type CommandResult, type ReplyFormat } from './reply.ts';

/** Commands of all pipelines together that may wait for Redis at the same time, as long as each has a few. */
const SHARED_COMMANDS = 256;
const MIN_SLICE = 4;
const FIRST_SLICE = 32;
/** About what the answers to one slice may hold, if they are as large as the largest so far. */
const SLICE_BYTES = 4 * 1024 * 1024;

/**
 * Runs pipelines in slices: a caller's next slice is sent when the last one was answered, and others get their turn in
 * between. So one long pipeline makes nobody wait for more than a slice, and many of them get smaller slices.
 */
export class Pipelines {
  #running = 0;

  /** Stops when the caller has gone; what was sent by then is executed. */
  async run(
    commands: Argument[][],
    execute: (command: Argument[]) => Promise<CommandResult>,
    { format, gone }: { format: ReplyFormat; gone: AbortSignal },
  ): Promise<EngineAnswer> {
    const batch = new BatchBuilder(format);
    let largest = 0;
    this.#running += 1;
    try {
      for (let at = 0; at < commands.length && !gone.aborted; ) {
        const size = Math.min(this.#sliceSize(largest), at === 0 ? FIRST_SLICE : SHARED_COMMANDS);
        const slice = commands.slice(at, at + size);
        at += slice.length;
        for (const outcome of await Promise.all(slice.map(execute))) largest = Math.max(largest, batch.add(outcome));
        // A slice of commands that were refused here waited for nothing.
        if (at < commands.length) await nextTurn();
      }
    } finally {
      this.#running -= 1;
    }
    return batch.answer();
  }

  #sliceSize(largestAnswer: number): number {
    const share = Math.floor(SHARED_COMMANDS / this.#running);
    const fitting = Math.floor(SLICE_BYTES / Math.max(1, largestAnswer));
    return Math.max(1, Math.min(Math.max(MIN_SLICE, share), fitting));
  }
}
