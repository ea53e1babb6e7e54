import { createHash, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { announce, type Fault, isStartedAs, type SimulatedAnswer, startLoopbackServer } from './loopback-server.ts';

export interface WechatSimulatorOptions {
  appid: string;
  secret: string;
  port?: number;
  /** Answers carry a `unionid`, as for a mini-program that is bound to an open platform account. */
  unionid?: boolean;
  /** Accepts codes `dev-<name>-<n>` that were not issued, to try a login by hand. */
  devCodes?: boolean;
  /** Is told why a code was refused, and which codes there are. */
  log?: (line: string) => void;
  /** Unix time in milliseconds. */
  now?: () => number;
}

export interface WechatSimulator {
  /** Replaces https://api.weixin.qq.com. */
  url: string;
  /** Makes a code as `wx.login` does. It is valid once, for five minutes. The same openid means the same person. */
  issueCode(openid?: string): string;
  /** Sets the errcodes of the next calls: -1 busy, 45011 too often, 40226 risky user ... They use up no code. */
  failNext(...errcodes: number[]): void;
  /** How many times code2Session was called. */
  calls(): number;
  misbehave(fault: Fault | null): void;
  stop(): Promise<void>;
}

const CODE_LIFE_MS = 300_000;
const UNKNOWN_CODE =
  'wechat simulator: a code is not one of its own. It takes dev-<name>-<number>, such as dev-alice-1: one person for each ' +
  'name, and each number once. For codes of the real developer tool set WECHAT_APPID and WECHAT_SECRET and start again.';

const ERRMSG: Record<number, string> = {
  [-1]: 'system error',
  40002: 'invalid grant_type',
  40013: 'invalid appid',
  40029: 'invalid code',
  40125: 'invalid appsecret',
  40163: 'code been used',
  40226: 'code blocked',
  41002: 'appid missing',
  41004: 'appsecret missing',
  41008: 'missing code',
  50002: 'user limited',
  45011: 'api minute-quota reach limit, must slower, retry next minute',
};

/** Simulates WeChat's code2Session. As at WeChat, refusals have HTTP status 200. */
export async function startWechatSimulator(options: WechatSimulatorOptions): Promise<WechatSimulator> {
  const { appid, secret, now = Date.now } = options;
  const issued = new Map<string, { openid: string; expiresAtMs: number; used: boolean }>();
  const planned: number[] = [];
  let calls = 0;

  function issueCode(openid = openidFor(appid, randomBytes(16).toString('hex'))) {
    for (const [code, { expiresAtMs }] of issued) if (expiresAtMs <= now()) issued.delete(code);
    const code = `0${randomBytes(23).toString('base64url')}`.slice(0, 32);
    issued.set(code, { openid, expiresAtMs: now() + CODE_LIFE_MS, used: false });
    return code;
  }

  function code2Session(query: URLSearchParams): SimulatedAnswer {
    calls += 1;
    const errcode = planned.shift() ?? refusalOf(query);
    if (errcode !== null) return refused(errcode);
    const code = query.get('js_code') ?? '';
    const ticket = issued.get(code) ?? developerTicket(code);
    if (ticket === null || ticket.expiresAtMs <= now()) {
      options.log?.(UNKNOWN_CODE);
      return refused(40029);
    }
    if (ticket.used) return refused(40163);
    ticket.used = true;
    issued.set(code, ticket);
    const session = { session_key: randomBytes(16).toString('base64'), openid: ticket.openid };
    return wechatAnswer(options.unionid ? { ...session, unionid: openidFor('unionid', ticket.openid) } : session);
  }

  function refusalOf(query: URLSearchParams): number | null {
    if (query.get('grant_type') !== 'authorization_code') return 40002;
    if (!query.get('appid')) return 41002;
    if (!query.get('secret')) return 41004;
    if (!query.get('js_code')) return 41008;
    if (query.get('appid') !== appid) return 40013;
    return query.get('secret') === secret ? null : 40125;
  }

  /** The name identifies the person; the number makes another code of the same person. */
  function developerTicket(code: string) {
    const name = options.devCodes ? /^dev-([a-z0-9]{1,32})-\d{1,9}$/.exec(code)?.[1] : undefined;
    return name === undefined ? null : { openid: openidFor(appid, name), expiresAtMs: Infinity, used: false };
  }

  const server = await startLoopbackServer(({ method, path, query }) => {
    if (method === 'GET' && path === '/sns/jscode2session') return code2Session(query);
    // WeChat has no such route. It does what wx.login does in the app, to be called with curl.
    if (method === 'POST' && path === '/codes') {
      return { status: 201, body: { code: issueCode(query.get('openid') ?? undefined) } };
    }
    return { status: 404, body: 'not found', headers: { 'content-type': 'text/plain' } };
  }, options.port);

  return { ...server, issueCode, failNext: (...errcodes) => void planned.push(...errcodes), calls: () => calls };
}

/** 28 characters that begin with "o". The same app and person always get the same openid, also after a restart. */
function openidFor(appid: string, person: string): string {
  return `o${createHash('sha256').update(`${appid}\n${person}`).digest('base64url').slice(0, 27)}`;
}

function refused(errcode: number): SimulatedAnswer {
  const rid = [4, 4, 4].map((bytes) => randomBytes(bytes).toString('hex')).join('-');
  return wechatAnswer({ errcode, errmsg: `${ERRMSG[errcode] ?? 'unknown error'}, rid: ${rid}` });
}

/** Always status 200 and content type text: a caller must read errcode, and must not use the content type. */
function wechatAnswer(body: unknown): SimulatedAnswer {
  return { status: 200, body, headers: { 'content-type': 'text/plain' } };
}

if (isStartedAs(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      appid: { type: 'string', default: 'wx0000000000000000' },
      secret: { type: 'string' },
      unionid: { type: 'boolean', default: false },
    },
  });
  if (values.secret === undefined) {
    console.error('usage: tsx local/simulators/wechat.ts --secret S [--appid A] [--unionid] [--port N]');
    process.exit(2);
  }
  announce(await startWechatSimulator({ ...values, secret: values.secret, port: Number(values.port), devCodes: true }));
}
