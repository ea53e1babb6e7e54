/** One request and its answer, on a connection that may have several of them in turn. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type FrontAnswer, type GatewayStatus, gatewayAnswer } from './answers.ts';
import { endLingering } from './linger.ts';
import { hasBody, type IncomingBody, receiveBody } from './request-body.ts';
import type { Visit } from './tracked.ts';

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  /** Begins to read the body. A client that waits for `100 Continue` gets it now, and not before. */
  receiveBody(limitBytes: number): IncomingBody;
  /** The request is whole: it is no longer given up for others. */
  arrived(): void;
  /** Only the first answer of a request is sent. Throws for a header that is invalid in HTTP; nothing is sent then. */
  answer(answer: FrontAnswer): void;
  /** Answers with `status` now, and stops waiting for the body. */
  giveUp(status: GatewayStatus): void;
}

/**
 * What happens to the connection after its answers. 'linger': it closes, and until the client closes it too, what still
 * arrives is dropped.
 */
export type Ending = 'open' | 'close' | 'linger';

export function startExchange(
  request: IncomingMessage,
  response: ServerResponse,
  visit: Visit,
  ending: () => Ending,
): Exchange {
  let body: IncomingBody | undefined;
  let answered = false;
  const exchange: Exchange = {
    request,
    response,
    receiveBody(limitBytes) {
      if (waitsForContinue(request)) response.writeContinue();
      body = receiveBody(request, limitBytes);
      return body;
    },
    arrived: () => visit.arrived(),
    answer(answer) {
      if (answered || response.destroyed) return;
      const how = !request.complete && hasBody(request) ? 'linger' : ending();
      if (how !== 'open') response.setHeader('connection', 'close');
      writeHead(response, answer);
      answered = true;
      visit.answered(how === 'linger');
      if (how === 'linger') linger(request);
      response.end(answer.body);
    },
    giveUp(status) {
      exchange.answer(gatewayAnswer(status));
      body?.abandon();
    },
  };
  return exchange;
}

/** A client of HTTP/1.0 would take `100 Continue` for its answer, and one without a body waits for nothing. */
const waitsForContinue = (request: IncomingMessage): boolean =>
  request.httpVersion === '1.1' && hasBody(request) && /^100-continue$/i.test(request.headers.expect ?? '');

function writeHead(response: ServerResponse, { status, headers, cookies, body }: FrontAnswer): void {
  if (cookies.length > 0) response.setHeader('set-cookie', cookies);
  if (status !== 204 && status !== 304) response.setHeader('content-length', Buffer.byteLength(body));
  response.writeHead(status, headers);
}

/** Node would close the connection as soon as the answer is written. */
function linger(request: IncomingMessage): void {
  const { socket } = request;
  request.resume();
  socket.destroySoon = () => endLingering(socket);
}
