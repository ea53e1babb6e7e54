import { createHash } from 'node:crypto';
import type { GatewayFault } from '../../gateway/faults.ts';
import { startUpstashGateway, type UpstashGateway } from '../../gateway/upstash/gateway.ts';
import { freshRedis } from './engines.ts';

export interface RestFixture {
  gateway: UpstashGateway;
  redis: { host: string; port: number };
  /** Injects this fault into the next request that reaches the database. */
  failNext(fault: GatewayFault): void;
  /** Sends a request as bytes; returns the status, the headers and the exact text of the answer. */
  request(
    path: string,
    init?: { method?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<{ status: number; text: string; headers: Headers }>;
  stop(): Promise<void>;
}

export const TOKEN = 'full-token';
export const READ_ONLY = 'read-only-token';

export async function startRest(): Promise<RestFixture> {
  const redis = await freshRedis();
  const faults: GatewayFault[] = [];
  const gateway = await startUpstashGateway({
    redis: { host: redis.host, port: redis.port },
    token: TOKEN,
    readOnlyToken: READ_ONLY,
    intercept: () => faults.shift(),
  });
  return {
    gateway,
    redis,
    failNext: (fault) => void faults.push(fault),
    async request(path, { method = 'POST', body, headers = {} } = {}) {
      const response = await fetch(gateway.url + path, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, ...headers },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
      });
      return { status: response.status, text: await response.text(), headers: response.headers };
    },
    async stop() {
      await gateway.stop();
      await redis.stop();
    },
  };
}

export const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');
