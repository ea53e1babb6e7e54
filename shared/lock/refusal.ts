import { AppError } from '../errors.ts';
import { OPERATOR } from './rule.ts';

/**
 * 429 with Retry-After, RateLimit and RateLimit-Policy (IETF draft-ietf-httpapi-ratelimit-headers-10). The headers name
 * the rule that refused.
 */
export function lockedError(rule: { name: string; limit: number; windowSeconds: number }, seconds: number): AppError {
  const wait = Math.max(1, seconds);
  return new AppError('LOCKED', undefined, {
    retryAfterSeconds: wait,
    headers: {
      ratelimit: `"${rule.name}";r=0;t=${wait}`,
      'ratelimit-policy': `"${rule.name}";q=${rule.limit};w=${rule.windowSeconds}`,
    },
  });
}

export const OPERATOR_BLOCK = `${OPERATOR}block`;

export const blockedError = (seconds: number): AppError =>
  lockedError({ name: OPERATOR_BLOCK, limit: 0, windowSeconds: seconds }, seconds);
