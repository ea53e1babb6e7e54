import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { EngineAnswer } from '../faults.ts';
import { unavailable } from './allowed-commands.ts';
import { keyLockingScripts, type PreparedCommand } from './lua-keys.ts';
import { Pipelines } from './pipeline.ts';
import { type CommandTable, isHarmlessRead, keysOf, readCommandTable } from './redis-commands.ts';
import {
  type Argument,
  closeRedis,
  connectRedis,
  type RedisAddress,
  RedisRefusal,
  RedisUnreachable,
  type Reply,
  sendCommand,
  untilReady,
} from './redis-connection.ts';
import { guardReplays, type ReplayGuard, untilGuarded } from './replay-guard.ts';
import { batchAnswer, type CommandResult, errorAnswer, type ReplyFormat, singleAnswer } from './reply.ts';
import type { CommandCall } from './request.ts';
import { isKill, isScript, ScriptKiller } from './script-kill.ts';

const MAX_KEY_BYTES = 32_768;
const FIRST_CONNECT_MS = 5_000;
const NOT_SERVING_PAUSE_MS = 100;
/**
 * A request waits this long for a broken connection to come back. Shorter than the 250 ms that the functions wait for
 * Redis.
 */
const RECONNECT_MS = 150;
const ABORTED = 'EXECABORT Transaction discarded because of previous errors.';

interface Caller {
  readOnly: boolean;
  format: ReplyFormat;
  /** Aborts when the caller has closed its connection. */
  gone: AbortSignal;
}

interface RestDatabase {
  /** Refusals by Redis or by Upstash's rules are answers with status 400. Rejects with RedisUnreachable. */
  run(call: CommandCall, caller: Caller): Promise<EngineAnswer>;
  isReady(): boolean;
  close(): void;
}

/**
 * Rejects with RedisUnreachable when no Redis answers within 5 s, and with RedisRefusal when the account lacks rights.
 */
export async function openDatabase(address: RedisAddress, guard?: ReplayGuard): Promise<RestDatabase> {
  const redis = connectRedis(address);
  let table: CommandTable;
  try {
    table = await firstTable(redis, guard);
  } catch (error) {
    closeRedis(redis);
    throw error;
  }
  // After a reconnect the address may belong to another server, with another version and other commands.
  redis.on('ready', () => {
    loadCommandTable(redis).then(
      (loaded) => {
        table = loaded;
      },
      () => {},
    );
  });
  const scripts = keyLockingScripts();
  const pipelines = new Pipelines();
  const killer = new ScriptKiller(address);

  /** The error text for a command that must not be sent. undefined: it may be sent. */
  function refusal(command: Argument[], readOnly: boolean): string | undefined {
    const name = String(command[0]);
    const notAvailable = unavailable(table, command);
    if (notAvailable !== undefined) return notAvailable;
    if (readOnly && !isHarmlessRead(table, command)) return noPermission(name);
    if (!command.some((argument) => argument.length > MAX_KEY_BYTES / 4)) return undefined;
    const longest = keysOf(table, command).reduce((most, key) => Math.max(most, Buffer.byteLength(key)), 0);
    if (longest <= MAX_KEY_BYTES) return undefined;
    return `ERR max key size exceeded. Limit: ${MAX_KEY_BYTES} bytes, Actual: ${longest} bytes`;
  }

  /** Writes to the socket before it returns, so that commands are executed in the order of the calls. */
  const send = ({ args }: PreparedCommand): Promise<Reply> => sendCommand(redis, String(args[0]), args.slice(1));

  async function single(command: Argument[], readOnly: boolean): Promise<CommandResult> {
    const error = refusal(command, readOnly);
    if (error !== undefined) return { error };
    const prepared = scripts.prepare(command, table);
    try {
      return outcomeOf(prepared, await (isKill(command) ? killer.kill(String(command[0])) : send(prepared)));
    } catch (failure) {
      if (failure instanceof RedisRefusal) return outcomeOf(prepared, failure);
      throw failure;
    }
  }

  /** One result for each command, or the error text when nothing was executed. */
  async function transaction(commands: Argument[][], readOnly: boolean): Promise<CommandResult[] | string> {
    if (commands.some((command) => refusal(command, readOnly) !== undefined)) return ABORTED;
    const prepared = commands.map((command) => scripts.prepare(command, table));
    // All are written in one tick, so that no command of another request comes between MULTI and EXEC.
    const queued = [sendCommand(redis, 'MULTI', []), ...prepared.map(send)];
    const executed = sendCommand(redis, 'EXEC', []);
    const [exec, ...others] = await Promise.allSettled([executed, ...queued]);
    for (const other of others) {
      // A command that found no master makes EXEC fail. That is a 503, not a fault of the caller.
      if (other.status === 'rejected' && other.reason instanceof RedisUnreachable) throw other.reason;
    }
    if (exec.status === 'fulfilled') {
      const replies = Array.isArray(exec.value) ? exec.value : [];
      return prepared.map((command, index) => outcomeOf(command, replies[index] ?? null));
    }
    if (exec.reason instanceof RedisRefusal) return exec.reason.message;
    throw exec.reason;
  }

  async function run(call: CommandCall, caller: Caller): Promise<EngineAnswer> {
    const commands = call.kind === 'single' ? [call.command] : call.commands;
    // While a script stops Redis, a new connection to it may not become ready.
    if (!commands.every(isKill)) {
      await untilReady(redis, RECONNECT_MS);
      if (guard) await untilGuarded(redis, RECONNECT_MS);
    }
    // It left while the connection to Redis was broken: nobody would end its script.
    caller.gone.throwIfAborted();
    if (!commands.some(isScript)) return answer(call, caller);
    const settle = killer.watch(caller.gone);
    try {
      const answered = await answer(call, caller);
      settle(true);
      return answered;
    } catch (error) {
      settle(!(error instanceof RedisUnreachable));
      throw error;
    }
  }

  async function answer(call: CommandCall, { readOnly, format, gone }: Caller): Promise<EngineAnswer> {
    switch (call.kind) {
      case 'single':
        return singleAnswer(await single(call.command, readOnly), format);
      case 'pipeline':
        return pipelines.run(call.commands, (command) => single(command, readOnly), { format, gone });
      case 'multi-exec': {
        const outcomes = await transaction(call.commands, readOnly);
        return typeof outcomes === 'string' ? errorAnswer(400, outcomes) : batchAnswer(outcomes, format);
      }
    }
  }

  return { run, isReady: () => redis.status === 'ready', close: () => closeRedis(redis) };
}

/** Waits up to 5 s for a server that answers but does not serve yet (it loads its data, or has no replica). */
async function firstTable(redis: Redis, guard: ReplayGuard | undefined): Promise<CommandTable> {
  const deadline = performance.now() + FIRST_CONNECT_MS;
  for (;;) {
    await untilReady(redis, deadline - performance.now());
    try {
      if (guard) await guardReplays(redis, guard);
      return await loadCommandTable(redis);
    } catch (error) {
      if (!(error instanceof RedisUnreachable) || performance.now() > deadline) throw error;
      redis.removeAllListeners('ready');
      await sleep(NOT_SERVING_PAUSE_MS);
    }
  }
}

export const noPermission = (name: string): string =>
  `NOPERM this user has no permissions to run the '${name.toLowerCase()}' command or its subcommand`;

function outcomeOf({ restore, answerSha }: PreparedCommand, reply: Reply): CommandResult {
  if (reply instanceof Error)
    return { error: restore ? reply.message.replaceAll(restore.from, restore.to) : reply.message };
  return { reply: answerSha === undefined ? reply : Buffer.from(answerSha) };
}

const loadCommandTable = async (redis: Redis): Promise<CommandTable> =>
  readCommandTable(await sendCommand(redis, 'COMMAND', []));
