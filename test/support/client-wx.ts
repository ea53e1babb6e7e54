// wx as its documentation describes it, over a real HTTP request: answers have parsed data and header names in unusual
// case, objects are encoded again, the data of a GET becomes its query, storage is synchronous and '' means no value.
import { randomFillSync } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { WxLike } from '../../client/transport.ts';

type RequestOptions = Parameters<WxLike['request']>[0];

export interface WxStandIn extends WxLike {
  stored: Map<string, string>;
  /** Like a base library before 2.15, or a tool that ignores dataType. */
  parsesAlways: boolean;
}

export function wxStandIn(): WxStandIn {
  const stored = new Map<string, string>();
  const wx: WxStandIn = {
    stored,
    parsesAlways: false,
    getStorageSync: (key) => stored.get(key) ?? '',
    setStorageSync: (key, value) => {
      stored.set(key, value);
    },
    removeStorageSync: (key) => {
      stored.delete(key);
    },
    getRandomValues: ({ length, success }) => {
      setImmediate(() => success({ randomValues: randomFillSync(new Uint8Array(length)).buffer as ArrayBuffer }));
    },
    request: (options) => send(options, wx.parsesAlways || options.dataType === 'json'),
  };
  return wx;
}

function send(options: RequestOptions, parses: boolean): void {
  const url = new URL(options.url);
  const data: unknown = options.data;
  const isGet = options.method === 'GET';
  if (isGet && data !== undefined) url.search = String(data);
  const body = isGet || data === undefined ? '' : typeof data === 'string' ? data : JSON.stringify(data);
  const request = httpRequest(url, { method: options.method, headers: options.header }, (response) => {
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
  });
  request.on('error', () => options.fail({ errMsg: 'request:fail errcode:-101' }));
  request.end(body);
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
