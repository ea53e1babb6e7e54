import type { IncomingMessage } from 'node:http';
import type { Argument } from './redis-connection.ts';

/** The request does not follow the protocol. The message is sent to the client. */
export class BadRequest extends Error {
  override name = 'BadRequest';
}

export type CommandCall =
  | { kind: 'single'; command: Argument[] }
  | { kind: 'pipeline' | 'multi-exec'; commands: Argument[][] };
type StreamCall = { kind: 'subscribe' | 'psubscribe'; names: string[] };

interface RestTarget {
  /** Without the query, because the query may contain the token. */
  path: string;
  segments: string[];
  query: Array<{ name: string; value: string }>;
}

export function readTarget(url: string): RestTarget {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const segments = path.slice(1).split('/');
  if (segments.at(-1) === '') segments.pop();
  const query = (mark === -1 ? '' : url.slice(mark + 1))
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=');
      return equals === -1 ? { name: pair, value: '' } : { name: pair.slice(0, equals), value: pair.slice(equals + 1) };
    });
  return { path, segments, query };
}

/**
 * The token of the Authorization header; without that header, the query parameter `_token`. undefined: the request has
 * none. A malformed header gives ''.
 */
export function readToken(request: IncomingMessage, target: RestTarget): string | undefined {
  const header = request.headers.authorization;
  if (header !== undefined) return /^Bearer\s+(\S+)$/i.exec(header)?.[1] ?? '';
  const parameter = target.query.find(({ name }) => name === '_token');
  return parameter && String(unescapeBytes(parameter.value, { plusIsSpace: true }));
}

const BATCHES = new Set(['pipeline', 'multi-exec']);
const STREAMS = new Set(['subscribe', 'psubscribe']);

export function takesJson({ segments: [route = ''], segments }: RestTarget): boolean {
  return segments.length === 0 || (segments.length === 1 && BATCHES.has(route));
}

/** The parsed JSON where the route takes JSON, the bytes elsewhere. Throws BadRequest. */
export function readPayload(target: RestTarget, body: Buffer): unknown {
  return takesJson(target) ? parseJson(body.toString('utf8')) : body;
}

/**
 * The commands of a request, from its path, its query and the payload that `readPayload` returned. Throws BadRequest.
 */
export function readCall(method: string, { segments, query }: RestTarget, payload: unknown): CommandCall | StreamCall {
  const [route = '', ...rest] = segments;
  if (segments.length === 0) return { kind: 'single', command: readCommand(payload) };
  if (segments.length === 1 && BATCHES.has(route)) {
    if (!Array.isArray(payload) || payload.length === 0)
      throw new BadRequest('ERR the body must be a list of commands that is not empty');
    return { kind: route as 'pipeline', commands: payload.map(readCommand) };
  }
  const parts = segments.map((segment) => unescapeBytes(segment, { plusIsSpace: false }));
  if (STREAMS.has(route.toLowerCase()) && rest.length > 0)
    return { kind: route.toLowerCase() as 'subscribe', names: parts.slice(1).map(String) };
  // The body is an argument between those of the path and those of the query: POST /set/key?EX=100.
  if ((method === 'POST' || method === 'PUT') && Buffer.isBuffer(payload) && payload.length > 0) parts.push(payload);
  for (const { name, value } of query) {
    if (name === '_token') continue;
    parts.push(unescapeBytes(name, { plusIsSpace: true }));
    if (value !== '') parts.push(unescapeBytes(value, { plusIsSpace: true }));
  }
  return { kind: 'single', command: parts };
}

function readCommand(value: unknown): Argument[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new BadRequest('ERR a command must be a list that is not empty');
  return value.map((argument: unknown) => {
    if (typeof argument === 'string') return argument;
    if (typeof argument === 'number' || typeof argument === 'boolean') return String(argument);
    throw new BadRequest('ERR an argument must be a string, a number or a boolean');
  });
}

const LONG_NUMBER = /[[,\s]-?\d{16}/;
const NUMBER = /-?\d[\d.eE+-]*/g;
const BACKSLASH = 0x5c;

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // A double keeps 15 digits, and an integer of 64 bits has up to 19. So numbers are read as text.
    return LONG_NUMBER.test(text) ? JSON.parse(numbersAsTexts(text)) : value;
  } catch {
    throw new BadRequest('ERR the request body is not valid JSON');
  }
}

/**
 * `json` is valid. An expression that also finds the texts would need more stack than there is for one of megabytes.
 */
function numbersAsTexts(json: string): string {
  const parts: string[] = [];
  for (let at = 0; at < json.length; ) {
    const quote = json.indexOf('"', at);
    const open = quote === -1 ? json.length : quote;
    const end = endOfText(json, open);
    parts.push(json.slice(at, open).replace(NUMBER, '"$&"'), json.slice(open, end));
    at = end;
  }
  return parts.join('');
}

function endOfText(json: string, open: number): number {
  let end = json.indexOf('"', open + 1);
  while (end !== -1 && isEscaped(json, end)) end = json.indexOf('"', end + 1);
  return end === -1 ? json.length : end + 1;
}

function isEscaped(json: string, at: number): boolean {
  let before = at;
  while (json.charCodeAt(before - 1) === BACKSLASH) before -= 1;
  return (at - before) % 2 === 1;
}

/** A Buffer for a text with percent escapes, because their bytes need not be UTF-8. Throws BadRequest. */
function unescapeBytes(text: string, { plusIsSpace }: { plusIsSpace: boolean }): Argument {
  const spaced = plusIsSpace ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  if (/%(?![0-9A-Fa-f]{2})/.test(spaced))
    throw new BadRequest('ERR a percent sign in the URL is not followed by two hexadecimal digits; write it as %25');
  const latin = Buffer.from(spaced, 'utf8').toString('latin1');
  return Buffer.from(
    latin.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}
