import type { IncomingMessage } from 'node:http';
import type { FrontAnswer } from './answers.ts';
import type { CorsRules } from './serverless-file.ts';

/** The gateway answers every preflight itself, also for paths without a route. Other origins get no CORS headers. */
export function preflightAnswer(rules: CorsRules, request: IncomingMessage): FrontAnswer {
  const headers = originHeaders(rules, request);
  if (headers['access-control-allow-origin'] !== undefined) {
    headers['access-control-allow-methods'] = rules.allowedMethods.join(',');
    headers['access-control-allow-headers'] = rules.allowedHeaders.join(',');
    if (rules.maxAgeSeconds !== undefined) headers['access-control-max-age'] = String(rules.maxAgeSeconds);
  }
  return { status: 204, headers, cookies: [], body: '' };
}

/** Adds the CORS headers if the origin is allowed. CORS headers that a function set are removed. */
export function withCors(rules: CorsRules, request: IncomingMessage, answer: FrontAnswer): FrontAnswer {
  const own = Object.entries(answer.headers).filter(([name]) => !name.startsWith('access-control-'));
  const headers: Record<string, string> = { ...Object.fromEntries(own), ...originHeaders(rules, request) };
  if (headers['access-control-allow-origin'] !== undefined && rules.exposedHeaders.length > 0) {
    headers['access-control-expose-headers'] = rules.exposedHeaders.join(',');
  }
  return { ...answer, headers };
}

/** A caller may invent origins: no more lines than these. */
const MOST_REPORTED = 20;

/** Returns a function that logs each origin that is refused, once. A browser shows its page no reason. */
export function reportOrigins(rules: CorsRules, log: (line: string) => void): (request: IncomingMessage) => void {
  const reported = new Set<string>();
  return ({ headers: { origin, host } }) => {
    if (origin === undefined || isAllowed(rules, origin) || reported.has(origin)) return;
    // A page of this server calls its own origin, which needs no CORS headers.
    if (origin === `http://${host}` || origin === `https://${host}`) return;
    if (reported.size >= MOST_REPORTED) return;
    reported.add(origin);
    const named = JSON.stringify(origin.slice(0, 100));
    const allowed = rules.allowedOrigins.join(',') || 'none';
    log(`calls from the web page ${named} are refused by its browser: H5 origins are ${allowed}. See --h5-origins.`);
  };
}

const isAllowed = ({ allowedOrigins }: CorsRules, origin: string): boolean =>
  allowedOrigins.includes('*') || allowedOrigins.includes(origin);

function originHeaders(rules: CorsRules, { headers: { origin } }: IncomingMessage): Record<string, string> {
  if (origin === undefined || !isAllowed(rules, origin)) return {};
  return {
    'access-control-allow-origin': rules.allowedOrigins.includes('*') ? '*' : origin,
    ...(rules.allowCredentials && { 'access-control-allow-credentials': 'true' }),
  };
}
