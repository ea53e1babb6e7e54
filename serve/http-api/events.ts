/** Makes the events of an HTTP API (payload 2.0) from a request. They have the same members as the events of AWS. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RouteMatch } from './routes.ts';
import type { Authorizer } from './serverless-file.ts';

/** A request as the gateway understands it, before a route is chosen. */
export interface GatewayRequest {
  /** In the form of API Gateway: `JKJaXmPLvHcESHA=`. */
  requestId: string;
  /** `12/Mar/2020:19:03:58 +0000` and milliseconds */
  time: string;
  timeEpoch: number;
  method: string;
  /** Decoded, and cut at a decoded `?`. API Gateway does both. */
  rawPath: string;
  rawQueryString: string;
  queryStringParameters: Record<string, string> | undefined;
  headers: Record<string, string>;
  cookies: string[] | undefined;
  protocol: string;
  sourceIp: string;
}

/** undefined: the request target is malformed. */
export function gatewayRequest(request: IncomingMessage, sourceIp: string): GatewayRequest | undefined {
  const target = (request.url ?? '').replace(/^https?:\/\/[^/?]*/i, '');
  const mark = target.indexOf('?');
  const rawPath = decodePath(mark < 0 ? target : target.slice(0, mark));
  if (rawPath === undefined) return undefined;
  const rawQueryString = mark < 0 ? '' : target.slice(mark + 1);
  const unique = randomUUID().replaceAll('-', '');
  const { headers, cookies } = gatewayHeaders(request, sourceIp, unique);
  const now = new Date();
  return {
    requestId: `${Buffer.from(unique.slice(0, 22), 'hex').toString('base64url')}=`,
    time: clfTime(now),
    timeEpoch: now.getTime(),
    method: request.method ?? 'GET',
    rawPath,
    rawQueryString,
    queryStringParameters: decodedQuery(rawQueryString),
    headers,
    cookies,
    protocol: `HTTP/${request.httpVersion}`,
    sourceIp,
  };
}

/** Headers about the connection between client and gateway. Functions do not get them. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'upgrade',
  'trailer',
]);

function gatewayHeaders(
  request: IncomingMessage,
  sourceIp: string,
  unique: string,
): Pick<GatewayRequest, 'headers' | 'cookies'> {
  const headers: Record<string, string> = Object.create(null);
  const cookies: string[] = [];
  // rawHeaders has all duplicates: API Gateway joins them, but Node's `headers` keeps only the first of some.
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = (request.rawHeaders[index] ?? '').toLowerCase();
    const value = request.rawHeaders[index + 1] ?? '';
    if (name === 'cookie') cookies.push(...value.split(';').map((cookie) => cookie.trim()));
    else if (!hopByHop.has(name)) headers[name] = name in headers ? `${headers[name]},${value}` : value;
  }
  headers['content-length'] ??= '0';
  headers['x-amzn-trace-id'] = `Root=1-${Math.floor(Date.now() / 1000).toString(16)}-${unique.slice(8)}`;
  headers['x-forwarded-for'] = headers['x-forwarded-for'] ? `${headers['x-forwarded-for']}, ${sourceIp}` : sourceIp;
  headers['x-forwarded-port'] = String(request.socket.localPort ?? '');
  headers['x-forwarded-proto'] = 'http';
  return { headers, cookies: cookies.length > 0 ? cookies : undefined };
}

function decodePath(path: string): string | undefined {
  if (!path.startsWith('/')) return undefined;
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path).replace(/\?.*$/s, '');
  } catch {
    return undefined;
  }
}

function decodedQuery(rawQueryString: string): Record<string, string> | undefined {
  if (rawQueryString === '') return undefined;
  const parameters: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    parameters[name] = name in parameters ? `${parameters[name]},${value}` : value;
  }
  return parameters;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function clfTime(time: Date): string {
  const day = String(time.getUTCDate()).padStart(2, '0');
  return `${day}/${months[time.getUTCMonth()]}/${time.getUTCFullYear()}:${time.toISOString().slice(11, 19)} +0000`;
}

function commonEvent(
  request: GatewayRequest,
  match: RouteMatch,
  authorizer?: { lambda: unknown },
): Record<string, unknown> {
  const { headers, cookies, queryStringParameters } = request;
  const domainName = (headers.host ?? 'localhost').replace(/:\d+$/, '');
  return {
    version: '2.0',
    routeKey: match.route.key,
    rawPath: request.rawPath,
    rawQueryString: request.rawQueryString,
    ...(cookies && { cookies: [...cookies] }),
    headers: { ...headers },
    ...(queryStringParameters && { queryStringParameters: { ...queryStringParameters } }),
    requestContext: {
      accountId: '000000000000',
      apiId: 'local',
      ...(authorizer && { authorizer }),
      domainName,
      domainPrefix: domainName.split('.')[0],
      http: {
        method: request.method,
        path: request.rawPath,
        protocol: request.protocol,
        sourceIp: request.sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: request.requestId,
      routeKey: match.route.key,
      stage: '$default',
      time: request.time,
      timeEpoch: request.timeEpoch,
    },
    ...(match.pathParameters && { pathParameters: { ...match.pathParameters } }),
  };
}

/** false: an identity source is missing or empty, so the authorizer is not called. */
export function hasIdentity(request: GatewayRequest, authorizer: Authorizer): boolean {
  return identitySourceOf(request, authorizer).every((value) => value);
}

function identitySourceOf(request: GatewayRequest, { identitySources }: Authorizer): (string | undefined)[] {
  return identitySources.map(({ from, name }) =>
    from === 'header' ? request.headers[name] : request.queryStringParameters?.[name],
  );
}

export function authorizerEvent(request: GatewayRequest, match: RouteMatch, authorizer: Authorizer): unknown {
  const identitySource = identitySourceOf(request, authorizer);
  const routeArn = `arn:aws:execute-api:local:000000000000:local/$default/${request.method}${request.rawPath}`;
  return { type: 'REQUEST', routeArn, identitySource, ...commonEvent(request, match) };
}

/** `context` comes from the authorizer. undefined: the route has no authorizer. */
export function handlerEvent(
  request: GatewayRequest,
  match: RouteMatch,
  body: Buffer,
  context: { lambda: unknown } | undefined,
): unknown {
  const isBase64Encoded = body.length > 0 && !isText(request.headers['content-type']);
  return {
    ...commonEvent(request, match, context),
    ...(body.length > 0 && { body: body.toString(isBase64Encoded ? 'base64' : 'utf8') }),
    isBase64Encoded,
  };
}

/** API Gateway passes bodies of these types as text. All others are base64, also forms and bodies without a type. */
function isText(contentType = ''): boolean {
  const mediaType = contentType
    .replace(/[;,].*$/s, '')
    .trim()
    .toLowerCase();
  return /^(text\/.+|application\/(json|javascript|xml|[^/]+\+json))$/.test(mediaType);
}
