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

function originHeaders(rules: CorsRules, { headers: { origin } }: IncomingMessage): Record<string, string> {
  if (origin === undefined) return {};
  const anyone = rules.allowedOrigins.includes('*');
  if (!anyone && !rules.allowedOrigins.includes(origin)) return {};
  return {
    'access-control-allow-origin': anyone ? '*' : origin,
    ...(rules.allowCredentials && { 'access-control-allow-credentials': 'true' }),
  };
}
