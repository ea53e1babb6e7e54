import type { IncomingMessage } from 'node:http';

/** A body that is being received. */
export interface IncomingBody {
  /** 'too large': the client may still be sending. Rejects when the client hangs up, and after `abandon()`. */
  received: Promise<Buffer | 'too large'>;
  /** Stops waiting for the rest. */
  abandon(): void;
}

const noBody = Buffer.alloc(0);
const SMALLEST_BYTES = 1024;

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

export function receiveBody(request: IncomingMessage, limitBytes: number): IncomingBody {
  if (!hasBody(request)) return { received: Promise.resolve(noBody), abandon: () => {} };
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
    return { received: Promise.resolve('too large'), abandon: () => {} };
  }
  let abandon = () => {};
  const received = new Promise<Buffer | 'too large'>((resolve, reject) => {
    const body = growingBuffer();
    request.on('data', (chunk: Buffer) => {
      if (body.length() + chunk.length > limitBytes) resolve('too large');
      else body.add(chunk);
    });
    request.on('end', () => resolve(body.bytes()));
    const gone = () => reject(new RequestEnded('the client closed the connection'));
    request.on('error', gone);
    request.on('close', gone);
    abandon = () => reject(new RequestEnded('the rest of the request is not awaited'));
  });
  return { received, abandon };
}

/** The request was given up before it was whole. This is no fault of the server. */
export class RequestEnded extends Error {
  override readonly name = 'RequestEnded';
}

/**
 * Takes at most twice the bytes that arrived. A list of chunks would take about 200 bytes for each chunk, and a client
 * may send one byte in each.
 */
function growingBuffer() {
  let buffer = noBody;
  let used = 0;
  return {
    length: () => used,
    bytes: () => buffer.subarray(0, used),
    add(chunk: Buffer) {
      if (used + chunk.length > buffer.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(2 * buffer.length, used + chunk.length, SMALLEST_BYTES));
        buffer.copy(larger, 0, 0, used);
        buffer = larger;
      }
      chunk.copy(buffer, used);
      used += chunk.length;
    },
  };
}
