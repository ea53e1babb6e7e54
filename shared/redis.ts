// The smallest entry of the package: the same client without Node's fetch set-up and schema builders. It makes each
// bundle 3 KB smaller. Requests go through our own transport in any case.
import type { Requester } from '@upstash/redis';
import { Redis } from '@upstash/redis/cloudflare';
import { Breaker } from './breaker.ts';
import { integerOr, requiredText } from './config.ts';
import { EngineError } from './errors.ts';
import { checkKey, type Key } from './keys.ts';
import { Script } from './script.ts';
import { countRequest } from './telemetry.ts';
import { send, TransportError } from './transport.ts';

/** The only file that imports @upstash/redis. Each call is one HTTP request. */

const restUrl = requiredText('UPSTASH_REDIS_REST_URL');
const restToken = requiredText('UPSTASH_REDIS_REST_TOKEN');
const timeoutMs = integerOr('REDIS_TIMEOUT_MS', 250);
const FIRST_CALL_TIMEOUT_MS = 1_000;

const breaker = new Breaker();
let answered = false;

/**
 * All scripts and commands may be applied twice without harm. So a request on a dead socket is sent once more at once.
 */
const requester: Requester = {
  async request<TResult>(request: { path?: string[]; body?: unknown }) {
    if (!breaker.admits()) throw new EngineError('redis', 'breaker open', 'not-applied');
    countRequest('redis');
    try {
      const answer = await send({
        url: new URL([restUrl().replace(/\/$/, ''), ...(request.path ?? [])].join('/') + (request.path ? '' : '/')),
        method: 'POST',
        headers: { authorization: `Bearer ${restToken()}`, 'content-type': 'application/json' },
        body: JSON.stringify(request.body),
        timeoutMs: answered ? timeoutMs() : Math.max(FIRST_CALL_TIMEOUT_MS, timeoutMs()),
        repeatable: true,
      });
      const body = parseAnswer(answer.body);
      if (answer.status >= 500 || body === undefined)
        throw new EngineError('redis', `status ${answer.status}`, 'unknown');
      if (answer.status === 401) throw new EngineError('redis', 'token refused', 'not-applied');
      answered = true;
      breaker.succeeded();
      return body as { result?: TResult; error?: string };
    } catch (error) {
      breaker.failed();
      if (error instanceof TransportError) {
        throw new EngineError('redis', error.reason, error.sent ? 'unknown' : 'not-applied');
      }
      throw error;
    }
  },
};

function parseAnswer(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The SDK with our transport. Strings stay strings: by default the SDK turns `"123"` into a number. */
class PlainRedis extends Redis {
  constructor() {
    super({
      url: restUrl(),
      token: restToken(),
      automaticDeserialization: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
      retry: { retries: 0 },
    });
    this.client = requester;
  }
}

let client: PlainRedis | undefined;
const redis = (): PlainRedis => {
  client ??= new PlainRedis();
  return client;
};

/** Keeps only the error code of Redis: the text contains the command with its values, so it must not be logged. */
function engineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const text = error instanceof Error ? error.message : '';
  const code = /\b(NOSCRIPT|OOM|READONLY|NOREPLICAS|LOADING|MASTERDOWN|BUSY|WRONGTYPE|NOPERM|WRONGPASS)\b/.exec(
    text,
  )?.[1];
  return new EngineError('redis', code ?? 'command refused', 'not-applied');
}

type Argument = string | number;

/** Runs a script: one request, or two when Redis no longer has the script. Throws EngineError. */
export async function evaluate<T>(script: Script, keys: Key[], args: Argument[]): Promise<T> {
  if (gathered) return gather<T>(gathered, [script, keys, args]);
  for (const key of keys) checkKey(key);
  if (script.loaded) {
    try {
      return await redis().evalsha<Argument[], T>(script.sha1, keys, args);
    } catch (error) {
      const failure = engineError(error);
      if (failure.reason !== 'NOSCRIPT') throw failure;
    }
  }
  try {
    const result = await redis().eval<Argument[], T>(script.text, keys, args);
    script.loaded = true;
    return result;
  } catch (error) {
    throw engineError(error);
  }
}

/**
 * Runs a script and then GETs for `reads`, in one request, or two when Redis no longer has the script. Returns the
 * script's answer and the values in order; null: the key is absent. Throws EngineError.
 */
export async function evaluateAndGet<T>(
  script: Script,
  keys: Key[],
  args: Argument[],
  reads: readonly Key[],
): Promise<[T, ...Array<string | null>]> {
  if (reads.length === 0) return [await evaluate<T>(script, keys, args)];
  for (const key of [...keys, ...reads]) checkKey(key);
  for (const text of script.loaded ? [false, true] : [true]) {
    const pipeline = redis().pipeline();
    if (text) pipeline.eval(script.text, keys, args);
    else pipeline.evalsha(script.sha1, keys, args);
    for (const key of reads) pipeline.get(key);
    const [first, ...rest] = await execute(pipeline);
    if (first instanceof EngineError && first.reason === 'NOSCRIPT') continue;
    if (first instanceof EngineError) throw first;
    script.loaded = true;
    return [first as T, ...rest.map((value) => (typeof value === 'string' ? value : null))];
  }
  throw new EngineError('redis', 'NOSCRIPT', 'not-applied');
}

async function execute(pipeline: ReturnType<Redis['pipeline']>): Promise<unknown[]> {
  try {
    const answers = await pipeline.exec({ keepErrors: true });
    return answers.map((answer) => (answer.error === undefined ? answer.result : engineError(new Error(answer.error))));
  } catch (error) {
    throw engineError(error);
  }
}

type CommandName = 'get' | 'del' | 'pttl' | 'pexpire' | 'getdel' | 'psetex' | 'strlen' | 'scard';
type Command =
  | readonly [name: CommandName, key: Key, ...args: Argument[]]
  | readonly [script: Script, keys: Key[], args: Argument[]];

/**
 * Several commands in one request, in this order, not atomic. Scripts are sent with their text. Returns one answer for
 * each command; an EngineError stands for a command that Redis refused. Throws EngineError when the request failed.
 */
export async function batch(commands: readonly Command[]): Promise<unknown[]> {
  if (commands.length === 0) return [];
  const pipeline = redis().pipeline();
  for (const command of commands) {
    if (command[0] instanceof Script) {
      const [script, keys, args] = command as [Script, Key[], Argument[]];
      for (const key of keys) checkKey(key);
      pipeline.eval(script.text, keys, args);
    } else {
      const [name, key, ...args] = command as [CommandName, Key, ...Argument[]];
      checkKey(key);
      (pipeline[name] as (key: string, ...args: Argument[]) => unknown)(key, ...args);
    }
  }
  return execute(pipeline);
}

interface Gathered {
  script: [script: Script, keys: Key[], args: Argument[]];
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}
let gathered: Gathered[] | undefined;

/**
 * Sends the scripts that `work` starts before it first waits, such as those of a Promise.all, as one request. Each gets
 * its own answer or error.
 */
export function inOneRequest<T>(work: () => Promise<T>): Promise<T> {
  const scripts: Gathered[] = [];
  gathered = scripts;
  try {
    return work();
  } finally {
    gathered = undefined;
    void sendGathered(scripts);
  }
}

const gather = <T>(scripts: Gathered[], script: Gathered['script']): Promise<T> =>
  new Promise<T>((resolve, reject) => {
    scripts.push({ script, resolve: resolve as (answer: unknown) => void, reject });
  });

async function sendGathered(scripts: readonly Gathered[]): Promise<void> {
  try {
    const [only] = scripts;
    const answers =
      only && scripts.length === 1
        ? [await evaluate(...only.script)]
        : await batch(scripts.map(({ script }) => script));
    for (const [i, { resolve, reject }] of scripts.entries()) {
      if (answers[i] instanceof EngineError) reject(answers[i]);
      else resolve(answers[i]);
    }
  } catch (error) {
    for (const { reject } of scripts) reject(error);
  }
}

/** Deletes keys in one request. This also ends the leases in them. Throws EngineError. */
export async function deleteKeys(keys: readonly Key[]): Promise<void> {
  if (keys.length === 0) return;
  for (const key of keys) checkKey(key);
  try {
    await redis().del(...keys);
  } catch (error) {
    throw engineError(error);
  }
}

/** Throws EngineError unless Redis answers. */
export async function pingRedis(): Promise<void> {
  try {
    await redis().ping();
  } catch (error) {
    throw engineError(error);
  }
}
