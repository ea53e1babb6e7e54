// wx as its documentation describes it, over a real HTTP request: answers have parsed data and header names in unusual
// case, objects are encoded again, the data of a GET becomes its query, '' means no value in synchronous storage, and
// only a reader who asks for it gets what was stored encrypted.
import { randomFillSync } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { WxLike } from '../../client/transport.ts';

type RequestOptions = Parameters<WxLike['request']>[0];

export interface WxStandIn extends WxLike {
  stored: Map<string, string>;
  /** What was stored with `encrypt`, by key. */
  encrypted: Map<string, string>;
  /** The codes that wx.login gave. */
  codes: string[];
  /** From now on these functions fail, throw at once, or never call back. */
  broken: Map<string, 'fails' | 'throws' | 'hangs'>;
  login(options: { success(result: { code: string }): void; fail(failure: { errMsg: string }): void }): void;
  /** Like a base library before 2.15, or a tool that ignores dataType. */
  parsesAlways: boolean;
}

export function wxStandIn(): WxStandIn {
  const stored = new Map<string, string>();
  const encrypted = new Map<string, string>();
  const broken: WxStandIn['broken'] = new Map();
  const codes: string[] = [];
  /** Calls back later, as wx does, or breaks as the test says. */
  const later = (name: string, fail: (failure: { errMsg: string }) => void, run: () => void): void => {
    const how = broken.get(name);
    if (how === 'throws') throw new Error(`${name}:fail thrown`);
    if (how !== 'hangs') setImmediate(how === 'fails' ? () => fail({ errMsg: `${name}:fail broken` }) : run);
  };
  const now = <T>(name: string, run: () => T): T => {
    if (broken.has(name)) throw new Error(`${name}:fail exceed storage max size`);
    return run();
  };
  const wx: WxStandIn = {
    stored,
    encrypted,
    codes,
    broken,
    parsesAlways: false,
    getStorageSync: (key) => now('getStorageSync', () => stored.get(key) ?? ''),
    setStorageSync: (key, value) => now('setStorageSync', () => void stored.set(key, value)),
    removeStorageSync: (key) =>
      now('removeStorageSync', () => {
        stored.delete(key);
        encrypted.delete(key);
      }),
    getStorage: ({ key, encrypt, success, fail }) =>
      later('getStorage', fail, () => {
        const data = (encrypt ? encrypted : stored).get(key);
        if (data === undefined) fail({ errMsg: 'getStorage:fail data not found' });
        else success({ data });
      }),
    setStorage: ({ key, data, encrypt, success, fail }) =>
      later('setStorage', fail, () => {
        (encrypt ? encrypted : stored).set(key, String(data));
        success({ errMsg: 'setStorage:ok' });
      }),
    login: ({ success, fail }) =>
      later('login', fail, () => success({ code: codes[codes.push(`code-${codes.length + 1}`) - 1] as string })),
    getRandomValues: ({ length, success, fail }) =>
      later('getRandomValues', fail, () =>
        success({ randomValues: randomFillSync(new Uint8Array(length)).buffer as ArrayBuffer }),
      ),
    request: (options) => send(options, wx.parsesAlways || options.dataType === 'json'),
  };
  return wx;
}

function send(options: RequestOptions, parses: boolean): { abort(): void } {
  const url = new URL(options.url);
  const data: unknown = options.data;
  const isGet = options.method === 'GET';
  if (isGet && data !== undefined) url.search = String(data);
  const body = isGet || data === undefined ? '' : typeof data === 'string' ? data : JSON.stringify(data);
  const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) };
  const request = httpRequest(
    url,
    { method: options.method, headers: { ...options.header, ...length } },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        options.success({
          statusCode: response.statusCode ?? 0,
          data: parses ? parsedOrText(text) : text,
          header: Object.fromEntries(
            Object.entries(response.headers).map(([name, value]) => [titleCase(name), String(value)]),
          ),
        });
      });
    },
  );
  request.on('error', () => options.fail({ errMsg: 'request:fail errcode:-101' }));
  request.end(body);
  return { abort: () => void request.destroy() };
}

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function titleCase(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
