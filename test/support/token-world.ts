import { randomBytes } from 'node:crypto';
import type { GatewayFault } from '../../gateway/faults.ts';
import { startWechatSimulator, type WechatSimulator } from '../../local/simulators/wechat/index.ts';
import { currentInvocation, runInvocation } from '../../shared/telemetry.ts';
import type { MiniProgram } from '../../shared/wechat/mini-program.ts';
import { type AdmissionWorld, startAdmissionWorld } from './admission-world.ts';
import { inProcesses } from './processes.ts';
import type { TokenUse } from './token-process.ts';

/** Any interface of WeChat that needs an access_token. */
export const CALL_PATH = '/wxa/sec/order/is_trade_managed';
export const TOKEN_PATH = '/cgi-bin/stable_token';

export interface TokenWorld extends Omit<AdmissionWorld, 'pass'> {
  wechat: WechatSimulator;
  /** A mini-program that no process has a token of. */
  newProgram(): MiniProgram;
  /** How often WeChat was asked for a token while `work` ran. */
  fetches(work: () => Promise<unknown>): Promise<number>;
  /** How many requests Redis got while `work` ran. */
  requests(work: () => Promise<unknown>): Promise<number>;
  /** Makes each request to Redis fail, or none. */
  breakRedis(fault: GatewayFault | undefined): void;
  /** Lets the token in Redis end after this time. */
  endInRedis(program: MiniProgram, ms: number): Promise<void>;
  /** What `count` processes saw, each with `CALLS` uses at once. */
  processes(count: number, program: MiniProgram, env?: Record<string, string>): Promise<TokenUse[]>;
  stop(): Promise<void>;
}

/** Sets this process's environment, so only one may run at a time. */
export async function startTokenWorld(): Promise<TokenWorld> {
  let fault: GatewayFault | undefined;
  const engines = await startAdmissionWorld(() => fault);
  const secret = randomBytes(16).toString('hex');
  const wechat = await startWechatSimulator({ appid: 'wx0', secret });
  const env = { ...engines.env, WECHAT_API_URL: wechat.url, MASTER_KEY: randomBytes(32).toString('hex') };
  Object.assign(process.env, env);
  let programs = 0;
  return {
    ...engines,
    wechat,
    newProgram() {
      programs++;
      wechat.addProgram({ appid: `wx${programs}`, secret });
      return { wechatAppid: `wx${programs}`, secrets: [secret] };
    },
    async fetches(work) {
      const before = wechat.calls(TOKEN_PATH);
      await work();
      return wechat.calls(TOKEN_PATH) - before;
    },
    async requests(work) {
      engines.gateway.resetStats();
      await work();
      return engines.gateway.stats().requests;
    },
    breakRedis(next) {
      fault = next;
    },
    async endInRedis({ wechatAppid }, ms) {
      for (const key of await engines.redis.keys(`*:wechat-token:*:${wechatAppid}`))
        await engines.redis.pexpire(key, ms);
    },
    async processes(count, { wechatAppid, secrets: [first = ''] }, more = {}) {
      const own = { ...env, TOKEN_APPID: wechatAppid, TOKEN_SECRET: first, ...more };
      return (await inProcesses<TokenUse[]>('test/support/token-process.ts', count, own)).flat();
    },
    async stop() {
      await wechat.stop();
      await engines.stop();
    },
  };
}

/** What an invocation counted, alarms included. */
export const countsOf = (work: () => Promise<unknown>): Promise<Record<string, number>> =>
  runInvocation('test', 60_000, async () => {
    await work();
    return { ...currentInvocation()?.counts };
  });
