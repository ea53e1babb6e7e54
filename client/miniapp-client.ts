// The entry of the SDK. Pure ECMAScript 2018: requests, storage and randomness of the platform are passed in.
import { accountCalls } from './account.ts';
import type { PluginToken, PluginValidation } from './answers.ts';
import { type ApiError, badAnswer, parsed } from './api-error.ts';
import type { CallOptions, ClientState, Empty, InternalOptions, Json, RequestOptions } from './call.ts';
import { identityCalls } from './identities.ts';
import { type Keep, memoryKeep } from './keep.ts';
import { logins, type SilentCode, userOf } from './logins.ts';
import { segment } from './path-segment.ts';
import { freshNonce, type RandomSource } from './random.ts';
import { type Paying, rechargeCalls } from './recharge.ts';
import { recordCalls } from './records.ts';
import { sessionBook } from './session-book.ts';
import { sessionOf, sessionOfText, textOfSession } from './session-text.ts';
import { sendSigned } from './signed-call.ts';
import { attempt, deviceMarkStore, keyHolder, memoryStorage, storageKeep } from './storage.ts';
import type { KeyValueStorage, Transport } from './transport.ts';

export { ApiError } from './api-error.ts';
export { type RequestPayment, wxPayment, wxVirtualPayment } from './recharge.ts';
export type { Item, List, ListOptions, ListPage, Own } from './records.ts';
export { signV3 } from './session-token.ts';
export { signV1, signV2 } from './sign.ts';
export { fetchTransport, type Transport, wxLogin, wxTransport } from './transport.ts';

// The only platform function that is not passed in: every platform has it.
declare function setTimeout(run: () => void, milliseconds: number): unknown;

export interface ClientOptions {
  /** Such as `https://api.example.com`. A path in it is sent but not signed. */
  baseUrl: string;
  appId: string;
  transport: Transport;
  /** Logs in without the user, at the first call and when a session ends: `wxLogin(wx)`. For public apps. */
  silentCode?: SilentCode;
  /** Replaces where the transport keeps the session of a public app. With fetch the default is memory. */
  keep?: Keep;
  /** For servers only: signs with v2. A key in a published program is public (docs/signing.md). */
  privateKey?: string;
  /** Called when a call failed because the user must log in, and the client cannot do it. */
  onLoginRequired?: (error: ApiError) => void;
  /** The language of `title` and `detail`; by default the server decides. */
  language?: 'zh' | 'en';
  /** Replaces the storage of the transport, for keys of unfinished payments. With fetch the default is memory. */
  storage?: KeyValueStorage;
  random?: RandomSource;
  /** Milliseconds since 1970. */
  now?: () => number;
  wait?: (milliseconds: number) => Promise<void>;
}

type Calls<Profile> = ReturnType<typeof callsOf<Profile>>;

export interface MiniappClient<Profile = Record<string, unknown>> extends Calls<Profile> {
  /** The same client, whose calls have a time limit or a signal that stops them. */
  with(options: CallOptions): MiniappClient<Profile>;
}

/** `Profile` is the shape of the user's profile. */
export function createClient<Profile = Record<string, unknown>>(options: ClientOptions): MiniappClient<Profile> {
  const {
    appId,
    transport,
    privateKey = '',
    silentCode = null,
    language = '',
    random = transport.random,
    storage = transport.storage || memoryStorage(),
    keep = transport.keep ? transport.keep(`miniapp:${appId}:login`) : memoryKeep,
    onLoginRequired = () => undefined,
    now = Date.now,
    wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  } = options;
  if (privateKey && silentCode) throw new TypeError('pass privateKey or silentCode, not both');
  if (!random) throw new Error('pass `random`: the platform has none');
  const tokenKey = `miniapp:${appId}:session`;
  // From a version of the program that used v2: nobody needs that token any more.
  if (!privateKey) attempt(() => storage.remove(tokenKey));
  const caller = {
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
    appId,
    privateKey,
    language,
    transport,
    random,
    now,
    wait,
    onLoginRequired,
    deviceMarks: deviceMarkStore(storage, appId),
    book: privateKey
      ? sessionBook(storageKeep(storage, tokenKey), sessionOf, ({ session }) => session)
      : sessionBook(keep, sessionOfText, textOfSession),
    asked: 0,
    clock: 0,
  } as ClientState;
  // They call through the state that they are a part of.
  caller.logins = logins(caller, silentCode);
  const userId = () => userOf(caller);
  const holdKey = keyHolder(storage, appId, userId, () => freshNonce(random));
  const paying: Paying = { holdKey, wait, logins: caller.logins, running: new Map(), user: () => caller.book.user };
  const limited = (common: CallOptions): MiniappClient<Profile> => ({
    ...callsOf<Profile>(caller, paying, common),
    with: (more) => limited({ ...common, ...more }),
  });
  return limited({});
}

function callsOf<Profile>(caller: ClientState, paying: Paying, common: CallOptions) {
  const send = (method: string, path: string, request?: InternalOptions) =>
    sendSigned(caller, method, path, { ...common, ...request });
  const json: Json = async <T>(method: string, path: string, request?: InternalOptions) =>
    parsed(await send(method, path, request)) as T;
  const empty: Empty = async (method, path, request) => {
    const answer = await send(method, path, request);
    if (answer.status !== 204) throw badAnswer(answer);
  };

  return {
    /** Calls any route. Returns the JSON of the answer, undefined for 204. Throws ApiError. */
    async request<T = unknown>(method: string, path: string, request: RequestOptions = {}): Promise<T> {
      const answer = await send(method, path, request);
      return (answer.status === 204 ? undefined : parsed(answer)) as T;
    },

    ...accountCalls<Profile>(json, empty, caller, common),
    ...identityCalls(json, empty, caller),
    ...rechargeCalls(json, paying),
    ...recordCalls(json, empty, paying.holdKey),

    pluginToken: (pluginId: string) => json<PluginToken>('POST', `/plugins/${segment(pluginId)}/token`),
    /** For plugin servers. For an invalid token the answer is only `active: false`. */
    validatePluginToken: (pluginId: string, pluginToken: string) =>
      json<PluginValidation>('POST', `/plugins/${segment(pluginId)}/validate`, {
        body: { pluginToken },
        session: false,
        repeatable: true,
      }),
  };
}
