import { createHmac } from 'node:crypto';
import { outgoingUrl, sendOutside } from '../outgoing-address.ts';
import { count } from '../telemetry.ts';
import { TransportError } from '../transport.ts';
import type { Plugin } from './directory.ts';
import type { PluginToken } from './token.ts';

/**
 * Pushes to a plugin's server (rows D4 (plugin server) and D6 (its own checks)), signed as Standard Webhooks describe.
 * A push carries the hash: the server sees the token only when a client presents it.
 */
type PushKind = 'issued' | 'revoked';

const RETRY_AFTER_MS = 100;
/** With less time left, a second try is unlikely to succeed. */
const MIN_TRY_MS = 300;

/**
 * true: the server stored it (any 2xx). A failed push is sent once more with the same event id, so that the server
 * recognises a repeat. A fault of the server never makes this throw.
 */
export async function pushed(plugin: Plugin, kind: PushKind, token: PluginToken, deadlineAt: number): Promise<boolean> {
  const url = outgoingUrl(plugin.serverUrl);
  let reason = 'address-refused';
  for (let attempt = 1; url && attempt <= 2; attempt++) {
    const answer = await attemptPush(url, plugin, kind, token, deadlineAt);
    if (answer === 'stored') return true;
    reason = answer;
    if (!isWorthASecondTry(answer) || deadlineAt - Date.now() < RETRY_AFTER_MS + MIN_TRY_MS) break;
    await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS));
  }
  count(`plugin.push-failed.${reason}`);
  return false;
}

type Attempt = 'stored' | TransportError['reason'] | 'refused' | 'failed';
const isWorthASecondTry = (answer: Attempt): boolean => !['address-refused', 'refused'].includes(answer);

async function attemptPush(
  url: URL,
  plugin: Plugin,
  kind: PushKind,
  token: PluginToken,
  deadlineAt: number,
): Promise<Attempt> {
  const body = eventBody(kind, token);
  try {
    const { status } = await sendOutside({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signedHeaders(plugin.pushSecrets, kind, token, body) },
      body,
      timeoutMs: Math.max(1, deadlineAt - Date.now()),
      repeatable: false,
      bodyIgnored: true,
      maxAnswerBytes: 16 * 1024,
    });
    if (isSuccess(status)) return 'stored';
    return isServersFault(status) ? 'failed' : 'refused';
  } catch (error) {
    if (error instanceof TransportError) return error.reason;
    throw error;
  }
}

// The status of the plugin server, not of this API.
const isSuccess = (status: number): boolean => Math.floor(status / 100) === 2;
const isServersFault = (status: number): boolean => Math.floor(status / 100) === 5;

function eventBody(kind: PushKind, { id, hash, userId, pluginId, expiresAt }: PluginToken): string {
  const data = { id, hash, userId, pluginId, expiresAt, version: versionOf(kind) };
  return JSON.stringify({ type: `plugin_token.${kind}`, data });
}

/** A token is issued once and revoked once. The later event has the higher version, in whatever order they arrive. */
const versionOf = (kind: PushKind): number => (kind === 'issued' ? 1 : 2);

function signedHeaders(secrets: readonly string[], kind: PushKind, token: PluginToken, body: string) {
  const id = `${token.id}.${versionOf(kind)}`;
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}
