import { createHash, randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

export const START = Date.parse('2026-01-01T00:00:00Z');
export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const NEXT_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;

export function newToken(userId = 'user-1') {
  return `p1.${userId}.session-1.${randomBytes(32).toString('base64url')}`;
}

/** The body of a push about a token that ends ten minutes after START. */
export function event(kind: 'issued' | 'revoked', token: string, data: Record<string, unknown> = {}) {
  const hash = createHash('sha256').update(token).digest('hex');
  const expiresAt = new Date(START + 600_000).toISOString();
  const version = kind === 'issued' ? 1 : 2;
  const all = { id: hash.slice(0, 16), hash, userId: 'user-1', pluginId: 'weather', expiresAt, version, ...data };
  return JSON.stringify({ type: `plugin_token.${kind}`, data: all });
}

/** Signed by another implementation of Standard Webhooks (npm package `standardwebhooks`). */
export function signed(body: string, { id = randomBytes(8).toString('hex'), secrets = [SECRET], atMs = START } = {}) {
  const signatures = secrets.map((secret) => new Webhook(secret).sign(id, new Date(atMs), body));
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(atMs / 1000)),
    'webhook-signature': signatures.join(' '),
  };
}
