// Sends a call: by wx.request in a mini-program, by fetch in H5, Node or tests. Both are passed in.
import type { ApiAnswer } from './api-answer.ts';
import { asked, type Keep, type WxCallbacks, type WxStorage, wxKeep } from './keep.ts';
import { onAbort, type StopSignal } from './patience.ts';
import { platformRandom, type RandomSource } from './random.ts';

/** wx storage, localStorage or a Map; it holds only text. */
export interface KeyValueStorage {
  /** null: there is no such key. */
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
}

export interface OutgoingCall {
  method: string;
  url: string;
  headers: Record<string, string>;
  /** The signed text; null: the call has no body. */
  body: string | null;
  /** The client stops waiting after this time. */
  timeoutMs: number;
  /** Says when the program no longer waits for the answer. A transport may ignore it. */
  signal?: StopSignal;
}

/** Rejects if no answer arrived; then it is unknown whether the server acted. */
export interface Transport {
  send(call: OutgoingCall): Promise<ApiAnswer>;
  /** null: the platform has none, so createClient needs one. */
  random: RandomSource | null;
  /** null: nothing is kept after the process ends. */
  storage: KeyValueStorage | null;
  /** Where the session of a public app is kept. Without it: in memory. */
  keep?(name: string): Keep;
}

/** The used part of `wx`. */
export interface WxLike extends WxStorage {
  request(options: WxRequestOptions): unknown;
  getStorageSync(key: string): unknown;
  setStorageSync(key: string, value: string): void;
  /** Since base library 2.15.0. */
  getRandomValues?(options: WxCallbacks<{ randomValues: ArrayBuffer }> & { length: number }): unknown;
}

interface WxAnswer {
  statusCode: number;
  data: unknown;
  header?: Record<string, unknown>;
}

type WxMethod = 'OPTIONS' | 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'TRACE' | 'CONNECT';

interface WxRequestOptions extends WxCallbacks<WxAnswer> {
  url: string;
  method: WxMethod;
  header: Record<string, string>;
  data?: string;
  dataType: string;
  responseType: 'text';
  timeout: number;
}

export function wxTransport(wx: WxLike): Transport {
  return {
    send: async ({ method, url, headers, body, timeoutMs, signal }) => {
      let task = {} as { abort(): void };
      const answer = asked<WxAnswer>((callbacks) => {
        task = wx.request({
          ...callbacks,
          url,
          method: method as WxMethod,
          header: headers,
          // Always text: wx.request would encode an object again, and make a GET's data a query that nobody signed.
          ...(body !== null && { data: body }),
          dataType: 'text',
          responseType: 'text',
          // Longer than the client waits, so that only one of them says that it was too long.
          timeout: timeoutMs + 1000,
        }) as typeof task;
      });
      const { statusCode, data, header } = await onAbort(signal, () => task.abort(), answer);
      return answerOf(statusCode, data, header || {});
    },
    random: wx.getRandomValues
      ? async (length) => {
          const drawn = await asked<{ randomValues: ArrayBuffer }>((callbacks) =>
            (wx as Required<WxLike>).getRandomValues({ ...callbacks, length }),
          );
          return new Uint8Array(drawn.randomValues);
        }
      : platformRandom(),
    storage: {
      get: (key) => {
        const value = wx.getStorageSync(key);
        return (typeof value === 'string' && value) || null;
      },
      set: (key, value) => wx.setStorageSync(key, value),
      remove: (key) => wx.removeStorageSync(key),
    },
    keep: (name) => wxKeep(wx, name),
  };
}

/** For `silentCode`: a new code of wx.login at each call. */
export function wxLogin(wx: { login(options: WxCallbacks<{ code: string }>): unknown }): () => Promise<string> {
  return async () => (await asked<{ code: string }>((callbacks) => wx.login(callbacks))).code;
}

// Header names have the spelling of the server or platform. Data is parsed on platforms that ignore dataType.
function answerOf(status: number, data: unknown, header: Record<string, unknown>): ApiAnswer {
  const headers = new Map(Object.entries(header).map(([name, value]) => [name.toLowerCase(), String(value)]));
  const text = typeof data === 'string' ? data : data === undefined || data === null ? '' : JSON.stringify(data);
  return { status, text, header: (name) => headers.get(name) || null };
}

/** The used part of `fetch`. */
type FetchLike = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; redirect: 'error'; signal?: never },
) => Promise<{ status: number; text(): Promise<string>; headers: { get(name: string): string | null } }>;

/** Pass `fetch` itself. A public client keeps its session in memory: see `keep` of createClient. */
export function fetchTransport(fetch: FetchLike): Transport {
  return {
    send: async ({ method, url, headers, body, signal }) => {
      const optional = { ...(body !== null && { body }), ...(signal && { signal: signal as never }) };
      // The API never redirects, and a redirect would send the tokens to another server.
      const response = await fetch(url, { method, headers, redirect: 'error', ...optional });
      return {
        status: response.status,
        text: await response.text(),
        header: (name) => response.headers.get(name),
      };
    },
    random: platformRandom(),
    storage: null,
  };
}
