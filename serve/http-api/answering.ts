import type { IncomingMessage } from 'node:http';
import { type FrontAnswer, gatewayAnswer } from './answers.ts';
import { preflightAnswer } from './cors.ts';
import { type GatewayRequest, gatewayRequest } from './events.ts';
import type { Exchange } from './exchange.ts';
import type { startGateway } from './gateway.ts';
import { hasBody } from './request-body.ts';
import type { CorsRules } from './serverless-file.ts';
import type { Turns } from './turns.ts';

/** Limit for the request line and all header values together. */
const maxHeaderBytes = 10_240;
const maxHeaders = 200;

/** Finds the answer to a request. Rejects with RequestEnded when the client hangs up or is given up before its end. */
export function answering(options: {
  gateway: ReturnType<typeof startGateway>;
  turns: Turns;
  cors: CorsRules | undefined;
  sourceIp: (request: IncomingMessage) => string;
  bodyBytes: number;
}): (exchange: Exchange) => Promise<FrontAnswer> {
  const { gateway, turns, cors, sourceIp, bodyBytes } = options;

  async function body(exchange: Exchange, address: string): Promise<Buffer | 'too large'> {
    const incoming = exchange.receiveBody(bodyBytes);
    if (!hasBody(exchange.request)) return incoming.received;
    const end = turns.receive(address, () => exchange.giveUp(429));
    try {
      return await incoming.received;
    } finally {
      end();
    }
  }

  async function gatewayAnswerTo(exchange: Exchange, received: GatewayRequest): Promise<FrontAnswer> {
    const accepted = gateway(received);
    if (typeof accepted !== 'function') return accepted;
    const bytes = await body(exchange, received.sourceIp);
    if (bytes === 'too large') return gatewayAnswer(413);
    const turn = turns.take(received.sourceIp);
    if (typeof turn === 'number') return soon(gatewayAnswer(turn));
    exchange.arrived();
    try {
      return await accepted(bytes);
    } finally {
      turn();
    }
  }

  return async (exchange) => {
    const { request } = exchange;
    if (headerBytes(request) > maxHeaderBytes || request.rawHeaders.length > 2 * maxHeaders) return gatewayAnswer(431);
    if (cors && request.method === 'OPTIONS') return preflightAnswer(cors, request);
    const received = gatewayRequest(request, sourceIp(request));
    if (!received) return gatewayAnswer(400);
    const answer = await gatewayAnswerTo(exchange, received);
    answer.headers['apigw-requestid'] = received.requestId;
    return answer;
  };
}

/** Turns are free again within milliseconds. */
function soon(answer: FrontAnswer): FrontAnswer {
  answer.headers['retry-after'] = '1';
  return answer;
}

function headerBytes({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  let bytes = method.length + url.length;
  for (let index = 1; index < rawHeaders.length; index += 2) bytes += rawHeaders[index]?.length ?? 0;
  return bytes;
}
