// The entry of the SDK. Pure ECMAScript 2018: requests, storage and randomness of the platform are passed in.
import { accountCalls } from './account.ts';
import type { PluginToken, PluginValidation } from './answers.ts';
import { ApiError } from './api-error.ts';
import { segment } from './path-segment.ts';
import { freshNonce, type RandomSource } from './random.ts';
import { rechargeCalls } from './recharge.ts';
import { type ClientState, type Empty, type Json, type RequestOptions, sendSigned } from './signed-call.ts';
import { deviceMarkStore, keyHolder, memoryStorage, sessionStore } from './storage.ts';
import type { ApiAnswer, KeyValueStorage, Transport } from './transport.ts';

export { ApiError } from './api-error.ts';
export { type RequestPayment, wxPayment, wxVirtualPayment } from './recharge.ts';
export { signV1, signV2 } from './sign.ts';
export { fetchTransport, type Transport, wxTransport } from './transport.ts';

// The only platform function that is not passed in: every platform has it.
declare function setTimeout(run: () => void, milliseconds: number): unknown;

export interface ClientOptions {
  /** Such as `https://api.example.com`. A path in it is sent but not signed. */
  baseUrl: string;
  appId: string;
  /** It is public as soon as the program is published: see docs/signing.md. */
  privateKey: string;
  transport: Transport;
  /** The language of `title` and `detail`; by default the server decides. */
  language?: 'zh' | 'en';
  /** Replaces the storage of the transport. With fetch the default is memory. */
  storage?: KeyValueStorage;
  random?: RandomSource;
  /** Milliseconds since 1970. */
  now?: () => number;
  wait?: (milliseconds: number) => Promise<void>;
}

export type MiniappClient<Profile = Record<string, unknown>> = ReturnType<typeof createClient<Profile>>;

/** `Profile` is the shape of the user's profile. */
export function createClient<Profile = Record<string, unknown>>(options: ClientOptions) {
  const random = options.random ?? options.transport.random;
  if (random === null) throw new Error('this platform has no random source: pass `random`');
  const storage = options.storage ?? options.transport.storage ?? memoryStorage();
  const sessions = sessionStore(storage, options.appId);
  const deviceMarks = deviceMarkStore(storage, options.appId);
  const caller: ClientState = {
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
    appId: options.appId,
    privateKey: options.privateKey,
    language: options.language ?? null,
    transport: options.transport,
    sessions,
    deviceMarks,
    random,
    now: options.now ?? Date.now,
    wait: options.wait ?? ((milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))),
    clockOffsetSeconds: 0,
  };

  const json: Json = async <T>(method: string, path: string, request: RequestOptions = {}) =>
    parsed(await sendSigned(caller, method, path, request)) as T;
  const empty: Empty = async (method, path, request) => {
    const answer = await sendSigned(caller, method, path, request);
    if (answer.status !== 204) throw badAnswer(answer);
  };
  const stamp = (): string => String(Math.floor(caller.now() / 1000) + caller.clockOffsetSeconds);
  const holdKey = keyHolder(storage, options.appId, sessions.current, () => freshNonce(random));

  return {
    /** Calls any route. Returns the JSON of the answer, undefined for 204. Throws ApiError. */
    async request<T = unknown>(method: string, path: string, request: RequestOptions = {}): Promise<T> {
      const answer = await sendSigned(caller, method, path, request);
      return (answer.status === 204 ? undefined : parsed(answer)) as T;
    },

    ...accountCalls<Profile>(json, empty, { sessions, deviceMarks }, stamp),
    ...rechargeCalls(json, holdKey, caller.wait),

    pluginToken: (pluginId: string) => json<PluginToken>('POST', `/plugins/${segment(pluginId)}/token`),
    /** For plugin servers. For an invalid token the answer is only `active: false`. */
    validatePluginToken: (pluginId: string, pluginToken: string) =>
      json<PluginValidation>('POST', `/plugins/${segment(pluginId)}/validate`, {
        body: { pluginToken },
        session: false,
        repeatable: true,
      }),

    /** null: there is no such record, or it belongs to another user. */
    readOne: <T>(resource: string, id: string | number): Promise<T | null> =>
      json<T>('GET', `/data/${segment(resource)}/${segment(id)}`).catch((error: unknown) => {
        if (error instanceof ApiError && error.code === 'NOT_FOUND') return null;
        throw error;
      }),
    /** 1 to 100 ids; null for ids without a record. */
    readMany: async <T>(resource: string, ids: readonly (string | number)[]): Promise<Record<string, T | null>> =>
      (
        await json<{ items: Record<string, T | null> }>('GET', `/data/${segment(resource)}`, {
          query: { ids: ids.join(',') },
        })
      ).items,
  };
}

function parsed(answer: ApiAnswer): unknown {
  try {
    return JSON.parse(answer.text);
  } catch {
    throw badAnswer(answer);
  }
}

/** A success that is not from the API, such as the login page of a public network. The outcome is unknown. */
function badAnswer(answer: ApiAnswer): ApiError {
  const detail = 'the answer did not come from the API';
  return new ApiError({ status: answer.status, code: 'BAD_ANSWER', detail, retryable: true });
}
