// Sends a call: by wx.request in a mini-program, by fetch in H5, Node or tests. Both are passed in.
import { platformRandom, type RandomSource } from './random.ts';

/** wx storage, localStorage or a Map; it holds only text. */
export interface KeyValueStorage {
  /** null: there is no such key. */
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
}

interface OutgoingCall {
  method: string;
  url: string;
  headers: Record<string, string>;
  /** The signed text; null: the call has no body. */
  body: string | null;
}

export interface ApiAnswer {
  status: number;
  text: string;
  /** By name in lower case; null: the answer does not have it. */
  header(name: string): string | null;
}

/** Rejects if no answer arrived; then it is unknown whether the server acted. */
export interface Transport {
  send(call: OutgoingCall): Promise<ApiAnswer>;
  /** null: the platform has none, so createClient needs one. */
  random: RandomSource | null;
  /** null: nothing is kept after the process ends. */
  storage: KeyValueStorage | null;
}

/** The used part of `wx`. */
export interface WxLike {
  request(options: WxRequestOptions): unknown;
  getStorageSync(key: string): unknown;
  setStorageSync(key: string, value: string): void;
  removeStorageSync(key: string): void;
  /** Since base library 2.15.0. */
  getRandomValues?(options: {
    length: number;
    success(result: { randomValues: ArrayBuffer }): void;
    fail(failure: { errMsg?: string }): void;
  }): unknown;
}

interface WxRequestOptions {
  url: string;
  method: string;
  header: Record<string, string>;
  data?: string;
  dataType: string;
  responseType: string;
  timeout: number;
  success(result: { statusCode: number; data: unknown; header?: Record<string, unknown> }): void;
  fail(failure: { errMsg?: string }): void;
}

/** An HTTP API stops after 30 s. With a slightly longer wait its answer arrives, and the outcome is known. */
const WX_TIMEOUT_MS = 35_000;

export function wxTransport(wx: WxLike): Transport {
  return {
    send: (call) =>
      new Promise((resolve, reject) => {
        wx.request({
          url: call.url,
          method: call.method,
          header: call.headers,
          // Always text: wx.request would encode an object again, and make a GET's data a query that nobody signed.
          ...(call.body === null ? {} : { data: call.body }),
          dataType: 'text',
          responseType: 'text',
          timeout: WX_TIMEOUT_MS,
          success: ({ statusCode, data, header }) => resolve(answerOf(statusCode, data, header ?? {})),
          fail: ({ errMsg }) => reject(new Error(errMsg ?? 'request:fail')),
        });
      }),
    random: wx.getRandomValues === undefined ? platformRandom() : wxRandom(wx.getRandomValues.bind(wx)),
    storage: {
      get: (key) => {
        const value = wx.getStorageSync(key);
        return typeof value === 'string' && value !== '' ? value : null;
      },
      set: (key, value) => wx.setStorageSync(key, value),
      remove: (key) => wx.removeStorageSync(key),
    },
  };
}

function wxRandom(getRandomValues: NonNullable<WxLike['getRandomValues']>): RandomSource {
  return (length) =>
    new Promise((resolve, reject) => {
      getRandomValues({
        length,
        success: ({ randomValues }) => resolve(new Uint8Array(randomValues)),
        fail: ({ errMsg }) => reject(new Error(errMsg ?? 'getRandomValues:fail')),
      });
    });
}

// Header names have the spelling of the server or platform. Data is parsed on platforms that ignore dataType.
function answerOf(status: number, data: unknown, header: Record<string, unknown>): ApiAnswer {
  const headers = new Map(Object.entries(header).map(([name, value]) => [name.toLowerCase(), String(value)]));
  const text = typeof data === 'string' ? data : data === undefined || data === null ? '' : JSON.stringify(data);
  return { status, text, header: (name) => headers.get(name) ?? null };
}

/** The used part of `fetch`. */
type FetchLike = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; redirect: 'error' },
) => Promise<{ status: number; text(): Promise<string>; headers: { get(name: string): string | null } }>;

/** Pass `fetch` itself. Pass createClient a storage if sessions should outlive the page. */
export function fetchTransport(fetch: FetchLike): Transport {
  return {
    send: async ({ method, url, headers, body }) => {
      // The API never redirects, and a redirect would send the tokens to another server.
      const init = { method, headers, redirect: 'error', ...(body === null ? {} : { body }) } as const;
      const response = await fetch(url, init);
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
