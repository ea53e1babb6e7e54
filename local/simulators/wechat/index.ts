import { type Fault, type FaultOf, type SimulatedAnswer, startLoopbackServer } from '../loopback-server.ts';
import { createAccessTokens } from './access-tokens.ts';
import { answerOf, type WechatInterface, WechatRefusal } from './answers.ts';
import { answerControl, type Controls, notFound } from './control.ts';
import { createLogin } from './login.ts';
import { isWechatPath, WECHAT_PATHS, type WechatPath } from './paths.ts';
import { createPhones } from './phone.ts';
import { createPrograms, type WechatProgram } from './programs.ts';
import { createShipping } from './shipping.ts';
import { createXpay } from './xpay.ts';

export interface WechatSimulatorOptions extends WechatProgram {
  /** More mini-programs. The first is that of `appid` and `secret`. */
  programs?: readonly WechatProgram[];
  port?: number;
  /** Answers carry a `unionid`, as for a mini-program that is bound to an open-platform account. */
  unionid?: boolean;
  /** Accepts login codes `dev-<name>-<n>` and phone codes `dev-phone-<11 digits>-<n>` that were not issued. */
  devCodes?: boolean;
  /** Is told why a code was refused, and which codes there are. */
  log?: (line: string) => void;
  /** Unix time in milliseconds. */
  now?: () => number;
}

export interface WechatSimulator extends Controls {
  /** Replaces https://api.weixin.qq.com. */
  url: string;
  /** Sets the errcodes of the next calls of code2Session: -1 busy, 45011 too often ... They use up no code. */
  failNext(...errcodes: number[]): void;
  stop(): Promise<void>;
}

/** Simulates what this project uses of WeChat's server. */
export async function startWechatSimulator(options: WechatSimulatorOptions): Promise<WechatSimulator> {
  const { devCodes = false, log = () => {} } = options;
  let aheadMs = 0;
  const now = () => (options.now ?? Date.now)() + aheadMs;
  const programs = createPrograms(options, options.programs ?? [], options.unionid ?? false);
  const login = createLogin({ programs, now, devCodes, log });
  const tokens = createAccessTokens(programs, now);
  const phones = createPhones(programs, tokens, { now, devCodes });
  const shipping = createShipping(tokens);
  const xpay = createXpay(tokens, now);
  const planned = new Map<string, number[]>();
  const calls = new Map<string, number>();
  let fault: Fault | FaultOf | null = null;

  const interfaces: Record<WechatPath, { method: 'GET' | 'POST'; answer: WechatInterface }> = {
    [WECHAT_PATHS.session]: { method: 'GET', answer: login.code2Session },
    [WECHAT_PATHS.token]: { method: 'POST', answer: tokens.stableToken },
    [WECHAT_PATHS.phone]: { method: 'POST', answer: phones.getPhoneNumber },
    [WECHAT_PATHS.tradeManaged]: { method: 'POST', answer: shipping.isTradeManaged },
    [WECHAT_PATHS.shipping]: { method: 'POST', answer: shipping.uploadShippingInfo },
    [WECHAT_PATHS.xpayQuery]: { method: 'POST', answer: xpay.queryOrder },
    [WECHAT_PATHS.xpayProvide]: { method: 'POST', answer: xpay.provideGoods },
    [WECHAT_PATHS.xpayRefund]: { method: 'POST', answer: xpay.refundOrder },
  };

  const server = await startLoopbackServer((request): SimulatedAnswer => {
    const { method, path } = request;
    if (!isWechatPath(path)) return answerControl(request, simulator);
    const simulated = interfaces[path];
    if (method !== simulated.method) return notFound();
    return answerOf(() => {
      const errcode = planned.get(path)?.shift();
      if (errcode !== undefined) throw new WechatRefusal(errcode);
      return simulated.answer(request);
    });
  }, options.port);

  // A call counts when it arrives, also if it gets no answer.
  server.misbehave((request) => {
    if (!isWechatPath(request.path)) return null;
    calls.set(request.path, (calls.get(request.path) ?? 0) + 1);
    return typeof fault === 'function' ? fault(request) : fault;
  });

  const simulator: WechatSimulator = {
    ...server,
    addProgram: programs.add,
    issueCode: (user = {}) => login.issueCode(typeof user === 'string' ? { openid: user } : user),
    issuePhoneCode: (owner = {}) => phones.issueCode(owner),
    endTokens: (appid = programs.first) => tokens.end(appid),
    forcedRefreshes: (appid = programs.first) => tokens.forcedRefreshes(appid),
    setTradeManaged: (isManaged, appid = programs.first) => shipping.setTradeManaged(appid, isManaged),
    shipments: shipping.uploads,
    xpay,
    failNext: (...errcodes) => simulator.failNextAt(WECHAT_PATHS.session, ...errcodes),
    failNextAt: (path, ...errcodes) => void planned.set(path, [...(planned.get(path) ?? []), ...errcodes]),
    calls: (path = WECHAT_PATHS.session) => calls.get(path) ?? 0,
    advance(ms) {
      aheadMs += ms;
    },
    misbehave(next) {
      fault = next;
    },
  };
  return simulator;
}
