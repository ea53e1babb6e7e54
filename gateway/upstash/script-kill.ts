import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Argument,
  closeRedis,
  connectRedis,
  type RedisAddress,
  RedisRefusal,
  type Reply,
  sendCommand,
  untilReady,
} from './redis-connection.ts';

const SCRIPTS = new Set(['EVAL', 'EVAL_RO', 'EVALSHA', 'EVALSHA_RO', 'FCALL', 'FCALL_RO']);
/** Most scripts end by themselves within this time after their caller has gone. */
const FIRST_PAUSE_MS = 1_000;
const PAUSE_MS = 250;
const GIVE_UP_MS = 60_000;
/** Redis answers only after `busy-reply-threshold`, 5 s by default. */
const ANSWER_MS = 10_000;

export const isScript = (command: readonly Argument[]): boolean => SCRIPTS.has(String(command[0]).toUpperCase());

/** SCRIPT KILL and FUNCTION KILL. */
export function isKill(command: readonly Argument[]): boolean {
  const name = String(command[0]).toUpperCase();
  if (command.length !== 2 || (name !== 'SCRIPT' && name !== 'FUNCTION')) return false;
  return String(command[1]).toUpperCase() === 'KILL';
}

/**
 * Ends scripts over a connection of its own, because the connection that sent a script takes no other command until it
 * has ended. A script whose caller has gone would otherwise stop Redis for everybody.
 */
export class ScriptKiller {
  #abandoned = 0;
  #lost = false;
  #hunting = false;

  constructor(readonly address: RedisAddress) {}

  /**
   * Call it before a script is sent, and the function that it returns when the call has ended: `answered` is false when
   * the connection was lost before the answer.
   */
  watch(gone: AbortSignal): (answered: boolean) => void {
    let left = false;
    const leave = (): void => {
      left = true;
      this.#abandoned += 1;
      void this.#hunt();
    };
    gone.addEventListener('abort', leave, { once: true });
    return (answered) => {
      gone.removeEventListener('abort', leave);
      if (left) this.#abandoned -= 1;
      if (answered) return;
      this.#lost = true;
      void this.#hunt();
    };
  }

  /** Rejects with RedisRefusal (NOTBUSY, UNKILLABLE) or RedisUnreachable. */
  async kill(name: string): Promise<Reply> {
    const redis = connectRedis(this.address, { enableReadyCheck: false, socketTimeout: ANSWER_MS });
    try {
      await untilReady(redis, ANSWER_MS);
      return await sendCommand(redis, name, ['KILL']);
    } finally {
      closeRedis(redis);
    }
  }

  /**
   * Redis refuses a kill before `busy-reply-threshold`, so this never ends a script that is as short as it should be.
   * It cannot end a script that has written.
   */
  async #hunt(): Promise<void> {
    if (this.#hunting) return;
    this.#hunting = true;
    const started = performance.now();
    await sleep(FIRST_PAUSE_MS, undefined, { ref: false });
    let kind = 'SCRIPT';
    while ((this.#abandoned > 0 || this.#lost) && performance.now() - started < GIVE_UP_MS) {
      const refusal = await this.kill(kind).then(
        () => '',
        (error: unknown) => (error instanceof RedisRefusal ? error.message : ''),
      );
      if (/^(NOTBUSY|UNKILLABLE)/.test(refusal)) this.#lost = false;
      if (refusal.startsWith('UNKILLABLE')) break;
      if (refusal.startsWith('BUSY')) kind = kind === 'SCRIPT' ? 'FUNCTION' : 'SCRIPT';
      await sleep(PAUSE_MS, undefined, { ref: false });
    }
    this.#hunting = false;
    this.#lost = false;
  }
}
