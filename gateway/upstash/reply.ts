import type { IncomingMessage } from 'node:http';
import type { EngineAnswer } from '../faults.ts';
import type { Reply } from './redis-connection.ts';
import { BadRequest } from './request.ts';

/** The result of one command: Redis' reply, or the text of its error. */
export type CommandResult = { reply: Reply } | { error: string };

export interface ReplyFormat {
  base64: boolean;
  resp2: boolean;
}

/** Reads the headers that choose the format of the answer. Throws BadRequest. */
export function readFormat({ headers }: IncomingMessage, kind: string): ReplyFormat {
  const encoding = headers['upstash-encoding'];
  const format = headers['upstash-response-format'];
  if (encoding !== undefined && encoding !== 'base64') throw new BadRequest('ERR unsupported response encoding');
  if (format !== undefined && format !== 'json' && format !== 'resp2')
    throw new BadRequest('ERR unsupported response format');
  const wanted = { base64: encoding === 'base64', resp2: format === 'resp2' };
  if (wanted.resp2 && wanted.base64) throw new BadRequest('ERR response format resp2 has no base64 encoding');
  if (wanted.resp2 && kind === 'multi-exec') throw new BadRequest('ERR response format resp2 has no transactions');
  return wanted;
}

/** Of a request, and of an answer. */
export const MAX_BYTES = 10_485_760;
const DOCS = 'https://upstash.com/docs/redis';
const JSON_TYPE = { 'content-type': 'application/json' };
const RESP_TYPE = { 'content-type': 'application/octet-stream' };

export function errorAnswer(status: number, message: string): EngineAnswer {
  return { status, headers: JSON_TYPE, body: JSON.stringify({ error: message }) };
}

export function singleAnswer(outcome: CommandResult, format: ReplyFormat): EngineAnswer {
  const status = 'error' in outcome ? 400 : 200;
  const body = format.resp2 ? respOutcome(outcome) : jsonOutcome(outcome, format);
  const bytes = Buffer.byteLength(body);
  return bytes > MAX_BYTES ? sizeError(bytes) : { status, headers: format.resp2 ? RESP_TYPE : JSON_TYPE, body };
}

export function batchAnswer(outcomes: CommandResult[], format: ReplyFormat): EngineAnswer {
  const batch = new BatchBuilder(format);
  for (const outcome of outcomes) batch.add(outcome);
  return batch.answer();
}

/**
 * Builds the answer of a batch. It keeps no more than an answer may have; of what is too large, it counts the bytes.
 */
export class BatchBuilder {
  #parts: Array<string | Buffer> = [];
  #bytes = 0;

  constructor(readonly format: ReplyFormat) {}

  /** Returns the size of what was added. */
  add(outcome: CommandResult): number {
    const part = this.format.resp2 ? respOutcome(outcome) : jsonOutcome(outcome, this.format);
    // Each part of a list in JSON is followed by a comma or by the bracket.
    const size = Buffer.byteLength(part) + (this.format.resp2 ? 0 : 1);
    this.#bytes += size;
    if (this.#bytes > MAX_BYTES) this.#parts = [];
    else this.#parts.push(part);
    return size;
  }

  answer(): EngineAnswer {
    const { resp2 } = this.format;
    const bytes = this.#bytes + (resp2 ? 0 : 1);
    if (bytes > MAX_BYTES) return sizeError(bytes);
    return resp2
      ? { status: 200, headers: RESP_TYPE, body: Buffer.concat(this.#parts as Buffer[]) }
      : { status: 200, headers: JSON_TYPE, body: `[${this.#parts.join(',')}]` };
  }
}

/** Upstash uses the error text of a large request for a large answer too. */
export function sizeError(actual: number): EngineAnswer {
  return errorAnswer(
    400,
    `ERR max request size exceeded. Limit: ${MAX_BYTES} bytes, Actual: ${actual} bytes. See ${DOCS}/troubleshooting/max_request_size_exceeded for details`,
  );
}

function jsonOutcome(outcome: CommandResult, format: ReplyFormat): string {
  if ('error' in outcome) return JSON.stringify({ error: outcome.error });
  const { reply } = outcome;
  // Upstash sends "OK" as the whole result without base64, and the client expects that.
  if (Buffer.isBuffer(reply) && reply.equals(OK)) return '{"result":"OK"}';
  return `{"result":${jsonValue(reply, format)}}`;
}

const OK = Buffer.from('OK');

function jsonValue(reply: Reply, format: ReplyFormat): string {
  if (reply === null) return 'null';
  // The digits of an integer become a JSON number directly. A double would lose digits.
  if (typeof reply === 'string') return reply;
  if (Buffer.isBuffer(reply))
    return format.base64 ? `"${reply.toString('base64')}"` : JSON.stringify(reply.toString('utf8'));
  if (reply instanceof Error) return JSON.stringify(reply.message);
  return `[${reply.map((item) => jsonValue(item, format)).join(',')}]`;
}

function respOutcome(outcome: CommandResult): Buffer {
  if ('error' in outcome) return Buffer.from(`-${outcome.error.replace(/[\r\n]+/g, ' ')}\r\n`);
  if (Buffer.isBuffer(outcome.reply) && outcome.reply.equals(OK)) return Buffer.from('+OK\r\n');
  return respValue(outcome.reply);
}

function respValue(reply: Reply): Buffer {
  if (reply === null) return Buffer.from('$-1\r\n');
  if (typeof reply === 'string') return Buffer.from(`:${reply}\r\n`);
  if (Buffer.isBuffer(reply)) return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from('\r\n')]);
  if (reply instanceof Error) return respOutcome({ error: reply.message });
  return Buffer.concat([Buffer.from(`*${reply.length}\r\n`), ...reply.map(respValue)]);
}
