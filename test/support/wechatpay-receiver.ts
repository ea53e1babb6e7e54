import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Http } from '../../shared/recharge/wechatpay/exchange.ts';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  stop(): Promise<void>;
}

/** A merchant's notify address on a real socket. `answer` returns status and body; null: no answer is sent. */
export async function startReceiver(
  answer: (one: Received, index: number) => [number, string] | null,
): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const one = { headers: incoming.headers, body: Buffer.concat(chunks) };
    const said = answer(one, received.push(one) - 1);
    if (said !== null) response.writeHead(said[0]).end(said[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/recharge/notify/wechatpay`;
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, received, stop };
}

/** Sends each request once, over a real socket. */
export function overSocket(deadlineMs = 15_000): Http {
  return ({ method, url, headers, body }) =>
    new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(deadlineMs);
      const outgoing = request(url, { method, headers, agent: false, signal }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(body ?? undefined);
    });
}
