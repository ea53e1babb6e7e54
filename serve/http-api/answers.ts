/** The answers that the API gateway sends: a function's result (payload 2.0), or an answer of its own. */

export interface FrontAnswer {
  status: number;
  headers: Record<string, string>;
  cookies: string[];
  /** Node sends a string together with the headers, in one packet. */
  body: string | Buffer;
}

/** The gateway's own answers have one of these bodies. */
const messages = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  413: 'Request Entity Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;

export type GatewayStatus = keyof typeof messages;

export function gatewayAnswer(status: GatewayStatus): FrontAnswer {
  const body = JSON.stringify({ message: messages[status] });
  return { status, headers: { 'content-type': 'application/json' }, cookies: [], body };
}

class MalformedResult extends Error {
  override readonly name = 'MalformedResult';
}

/** Lambda's limit for the result of a function. */
const maxResultBytes = 6 * 1024 * 1024;

/** Throws MalformedResult for a result that API Gateway answers with 500. */
export function functionAnswer(result: unknown): FrontAnswer {
  if (!isObject(result) || result.statusCode === undefined) {
    const body = typeof result === 'string' ? result : JSON.stringify(result ?? null);
    return { status: 200, headers: { 'content-type': 'application/json' }, cookies: [], body };
  }
  const { statusCode, headers = {}, cookies = [], body = '', isBase64Encoded = false } = result;
  const status = Number(statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new MalformedResult('statusCode is not an HTTP status');
  if (typeof body !== 'string') throw new MalformedResult('body is not a string');
  if (body.length > maxResultBytes) throw new MalformedResult('the result is larger than 6 MB');
  if (!isObject(headers)) throw new MalformedResult('headers is not an object');
  if (!Array.isArray(cookies)) throw new MalformedResult('cookies is not a list');
  const sent: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (isObject(value)) throw new MalformedResult(`header ${name} is not a text`);
    if (value !== undefined && value !== null) sent[name.toLowerCase()] = String(value);
  }
  if (body !== '') sent['content-type'] ??= 'text/plain; charset=utf-8';
  return {
    status,
    headers: sent,
    cookies: cookies.map(String),
    body: isBase64Encoded ? Buffer.from(body, 'base64') : body,
  };
}

/** undefined: not a simple response. API Gateway answers it with 500. */
export function authorizerDecision(result: unknown): { allowed: boolean; context: unknown } | undefined {
  if (!isObject(result) || typeof result.isAuthorized !== 'boolean') return undefined;
  // As on AWS the context passes as JSON: it shares no objects, and it has no undefined members.
  const context: unknown = isObject(result.context) ? JSON.parse(JSON.stringify(result.context)) : null;
  return { allowed: result.isAuthorized, context };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
