import { randomBytes } from 'node:crypto';
import { createClient, signV1, signV2 } from '../client/miniapp-client.ts';
import { bodySha256 } from '../client/sign.ts';
import type { Tape, TapedAnswer } from './tape.ts';

/** The AppID and key that the portal issued (row A2 (app keys)). */
export interface App {
  appId: string;
  privateKey: string;
}

interface CallOptions {
  query?: string;
  body?: unknown;
  /** Default: version 2. */
  method?: 'SHA1' | 'MD5';
  session?: string;
  idempotencyKey?: string;
  /** A version in double quotes. */
  ifMatch?: string;
  /** Unix seconds (default: now). */
  timeStamp?: number;
  /** An access_token to be sent again instead of a new one. */
  token?: string;
  remark?: string;
}

export interface DemoApp {
  /** One signed call, sent once. The SDK would repeat it, and the demo shows refusals. */
  call(app: App, verb: string, path: string, options?: CallOptions): Promise<TapedAnswer>;
  /** The access_token that `call` would send. */
  sign(app: App, verb: string, path: string, options?: CallOptions): string;
  /** A call that needs no access_token. */
  plain(
    verb: string,
    path: string,
    headers?: Record<string, string>,
    body?: string,
    remark?: string,
  ): Promise<TapedAnswer>;
  /** The SDK as a mini-program uses it. */
  sdk(app: App): ReturnType<typeof createClient>;
}

export function newCaller(url: string, tape: Tape): DemoApp {
  const sign: DemoApp['sign'] = (app, verb, path, options = {}) => {
    const identity = {
      ...app,
      timeStamp: options.timeStamp ?? Math.floor(Date.now() / 1000),
      // Letters at both ends: ten digits at an end could be parsed as a second time stamp.
      nonce: `n${randomBytes(16).toString('hex')}n`,
    };
    const call = { httpMethod: verb, path, query: options.query ?? '', body: bodyText(options) ?? '' };
    return options.method ? signV1({ ...identity, method: options.method }) : signV2({ ...identity, ...call });
  };
  return {
    sign,
    call(app, verb, path, options = {}) {
      const body = bodyText(options);
      const headers = {
        'access-token': options.token ?? sign(app, verb, path, options),
        ...(options.session !== undefined && { authorization: `Bearer ${options.session}` }),
        ...(options.idempotencyKey !== undefined && { 'idempotency-key': options.idempotencyKey }),
        ...(options.ifMatch !== undefined && { 'if-match': options.ifMatch }),
        ...(body !== undefined && { 'content-type': 'application/json', 'x-content-sha256': bodySha256(body) }),
      };
      const target = options.query ? `${path}?${options.query}` : path;
      return tape.send(verb, url + target, headers, body, options.remark);
    },
    plain: (verb, path, headers = {}, body, remark) => tape.send(verb, url + path, headers, body, remark),
    sdk: (app) => createClient({ ...app, baseUrl: url, transport: tape.transport }),
  };
}

const bodyText = ({ body }: CallOptions): string | undefined => (body === undefined ? undefined : JSON.stringify(body));
