import type { Fault, FaultOf, SimulatedAnswer, SimulatedRequest } from '../loopback-server.ts';
import { readObject } from './answers.ts';
import type { WechatUser } from './login.ts';
import { isWechatPath, type WechatPath } from './paths.ts';
import type { PhoneOwner } from './phone.ts';
import type { WechatProgram } from './programs.ts';
import type { Xpay, XpaySimulatorMerchant } from './xpay.ts';

/** What a test does with the simulator. */
export interface Controls {
  addProgram(program: WechatProgram): void;
  /** Makes a code as `wx.login` does. It is valid once, for five minutes. A text is the openid of the person. */
  issueCode(user?: string | WechatUser): string;
  /** Makes a code as the button getPhoneNumber does. It is valid once, for five minutes. */
  issuePhoneCode(owner?: PhoneOwner): string;
  /** The access tokens of a mini-program, or of the first, are invalid before their end. */
  endTokens(appid?: string): void;
  /** How often its access token was replaced by force today. */
  forcedRefreshes(appid?: string): number;
  setTradeManaged(isManaged: boolean, appid?: string): void;
  /** The shipping information that was accepted, in order. */
  shipments(): ReadonlyArray<Record<string, unknown>>;
  /** Virtual payment: merchants, payments, and the end of refunds. */
  xpay: Xpay;
  /** Sets the errcodes of the next calls of an interface. */
  failNextAt(path: WechatPath, ...errcodes: number[]): void;
  /** How often an interface was called. Default: code2Session. */
  calls(path?: WechatPath): number;
  /** Moves the clock of the simulator forward. */
  advance(ms: number): void;
  /** A fault of the interfaces. The control routes have none. */
  misbehave(fault: Fault | FaultOf | null): void;
}

/** WeChat has no such routes. They are the functions of the simulator for a shell and for tests in other processes. */
export function answerControl(
  { method, path, query, headers, body }: SimulatedRequest,
  simulator: Controls,
): SimulatedAnswer {
  // A code as from wx.login, with a short path for curl.
  if (method === 'POST' && path === '/codes') {
    return { status: 201, body: { code: simulator.issueCode(query.get('openid') ?? {}) } };
  }
  if (method !== 'POST' || !path.startsWith('/control/')) return notFound();
  // Browsers send a preflight before another origin may use this type, and the simulator does not allow it.
  if (headers['content-type'] !== 'application/json')
    return { status: 415, body: { message: 'send application/json' } };
  const input = readObject(body);
  const answer = input && control(path.slice('/control/'.length), input, simulator);
  return answer ? { status: 200, body: answer } : { status: 400, body: { message: 'no such call, or wrong input' } };
}

export const notFound = (): SimulatedAnswer => ({
  status: 404,
  body: 'not found',
  headers: { 'content-type': 'text/plain' },
});

type Payment = Parameters<Xpay['pay']>[0];
type Payer = Parameters<Xpay['pay']>[1];

/** undefined: there is no such call, or its input is wrong. */
function control(name: string, input: Record<string, unknown>, simulator: Controls): object | undefined {
  const done = { done: true };
  const appid = typeof input.appid === 'string' ? input.appid : undefined;
  const path = isWechatPath(input.path) ? input.path : undefined;
  switch (name) {
    case 'programs':
      if (appid === undefined || typeof input.secret !== 'string') return undefined;
      simulator.addProgram(input as unknown as WechatProgram);
      return done;
    case 'codes':
      return { code: simulator.issueCode(input as WechatUser) };
    case 'phone-codes':
      return { code: simulator.issuePhoneCode(input as PhoneOwner) };
    case 'end-tokens':
      simulator.endTokens(appid);
      return done;
    case 'trade-managed':
      simulator.setTradeManaged(input.managed === true, appid);
      return done;
    case 'failures':
      if (!path || !Array.isArray(input.errcodes)) return undefined;
      simulator.failNextAt(path, ...input.errcodes.map(Number));
      return done;
    case 'misbehave': {
      const fault = (input.fault ?? null) as Fault | null;
      simulator.misbehave(path ? (request) => (request.path === path ? fault : null) : fault);
      return done;
    }
    case 'advance':
      if (typeof input.ms !== 'number' || !(input.ms >= 0)) return undefined;
      simulator.advance(input.ms);
      return done;
    case 'calls':
      return path && { calls: simulator.calls(path), forcedRefreshes: simulator.forcedRefreshes(appid) };
    case 'xpay-merchants':
      simulator.xpay.setMerchant(input as unknown as XpaySimulatorMerchant);
      return done;
    case 'xpay-pay':
      return { order: simulator.xpay.pay(input.payment as Payment, input.payer as Payer) };
    case 'xpay-refund-end':
      simulator.xpay.endRefund(String(input.refundNo), input.end === 'failed' ? 'failed' : 'success');
      return done;
    case 'xpay-order':
      return { order: simulator.xpay.record(String(input.orderNo)) ?? null };
    case 'shipments':
      return { shipments: simulator.shipments() };
    default:
      return undefined;
  }
}
