import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type GatewayStatus, gatewayAnswer } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { endLingering } from './linger.ts';

/** The requests of each connection that are not answered yet, in their order. */
interface Pipelines {
  begin(exchange: Exchange): void;
  end(exchange: Exchange): void;
  /** How many requests of the connection are not answered yet. */
  waiting(socket: Socket): number;
  /** No other request came behind it. If the connection closed after its answer, no call would be lost. */
  isLast(exchange: Exchange): boolean;
  /** Answers what Node's parser could not read, or a client that was too slow, and closes the connection. */
  refuse(error: NodeJS.ErrnoException, socket: Socket): void;
}

/**
 * `onRefused` is called for refusals of input that is no request. A request that has begun is counted as others are.
 */
export function trackPipelines(onRefused: (status: number) => void): Pipelines {
  const open = new WeakMap<Socket, Set<Exchange>>();
  const refused = new WeakMap<Socket, () => void>();

  return {
    begin(exchange) {
      const { socket } = exchange.request;
      const others = open.get(socket) ?? new Set();
      open.set(socket, others.add(exchange));
    },
    end(exchange) {
      const { socket } = exchange.request;
      const others = open.get(socket);
      others?.delete(exchange);
      if (others?.size === 0) refused.get(socket)?.();
    },
    waiting: (socket) => open.get(socket)?.size ?? 0,
    isLast: (exchange) => [...(open.get(exchange.request.socket) ?? [])].at(-1) === exchange,
    refuse(error, socket) {
      if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
      const exchanges = [...(open.get(socket) ?? [])];
      const partial = exchanges.find(({ request }) => !request.complete);
      // The client hung up in the middle of a request: nobody reads an answer.
      if (partial && error.code === 'HPE_INVALID_EOF_STATE') return void socket.destroy();
      const status = statusFor(error);
      if (partial) return partial.giveUp(status);
      if (refused.has(socket)) return;
      const write = () => {
        if (!socket.writable) return;
        onRefused(status);
        socket.write(plainAnswer(status));
        endLingering(socket);
      };
      refused.set(socket, write);
      // The answers to the good requests before it are sent first.
      if (exchanges.length === 0) write();
    },
  };
}

function statusFor({ code }: NodeJS.ErrnoException): GatewayStatus {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}

function plainAnswer(status: GatewayStatus): string {
  const { body } = gatewayAnswer(status);
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'content-type: application/json', 'connection: close'];
  return `${lines.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
