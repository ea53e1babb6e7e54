/**
 * For teams that run a plugin's server (rows D4 to D6). It receives the signed pushes of the business backend and
 * authenticates the plugin tokens of clients. For Node, without dependencies: you may copy this file and
 * token-store.ts.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createMemoryStore, type TokenRecord, type TokenStore } from './token-store.ts';

/** The answer of the business backend's `POST /plugins/{pluginId}/validate`. */
export type Validation = { active: false } | { active: true; userId: string; pluginId: string; expiresAt: string };

export interface PluginServerOptions {
  pluginId: string;
  /** Every secret that may sign now, `whsec_` + base64: two during a rotation. */
  pushSecrets: string[];
  /** Called once for a token that no push announced. Without it, such a token is refused. */
  validate?: (pluginToken: string) => Promise<Validation>;
  store?: TokenStore;
  /** Unix time in milliseconds. */
  now?: () => number;
}

export type PushHeaders = Headers | Record<string, string | string[] | undefined>;

export interface PluginServer {
  /**
   * No input makes it throw. `rawBody`: the bytes as received. 2xx means that the push is stored; `body` is JSON text.
   */
  receivePush(headers: PushHeaders, rawBody: Uint8Array): Promise<{ status: number; body: string }>;
  /** null: refuse with 401. Rejects with AuthenticationUnavailable if the token cannot be checked: answer 503. */
  authenticate(pluginToken: string | undefined): Promise<{ userId: string; expiresAt: string } | null>;
}

/** The store or the business backend did not answer. The token may be valid or not. */
export class AuthenticationUnavailable extends Error {
  override name = 'AuthenticationUnavailable';
}

const TOLERANCE_SECONDS = 300;
const MAX_PUSH_BYTES = 16 * 1024;
// Plugin tokens live ten minutes. An end far beyond that is a mistake; the record would stay in the store without end.
const MAX_LIFE_MS = 24 * 3600_000;
const VALIDATED_MS = 30_000;
const VALIDATION_DEADLINE_MS = 5_000;
const MAX_REMEMBERED = 10_000;
const MAX_VALIDATIONS_AT_ONCE = 32;

const PLUGIN_TOKEN = /^p1\.([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{22,128}$/;
const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

export function createPluginServer(options: PluginServerOptions): PluginServer {
  const { pluginId, validate, now = Date.now } = options;
  const keys = options.pushSecrets.map(pushKey);
  if (keys.length === 0) throw new TypeError('pushSecrets: pass at least one secret');
  const store = options.store ?? createMemoryStore({ now });
  const delivered = new Map<string, number>();
  const validated = new Map<string, { record: TokenRecord | null; untilMs: number }>();
  const asking = new Map<string, Promise<TokenRecord | null>>();

  async function receivePush(headers: PushHeaders, rawBody: Uint8Array) {
    if (!(rawBody instanceof Uint8Array)) throw new TypeError('rawBody: pass the bytes as received');
    if (rawBody.byteLength > MAX_PUSH_BYTES) return refusal(413, 'too_large');
    if (!isSignedPush(headers, rawBody, keys, now())) return refusal(401, 'bad_signature');
    const event = parseEvent(rawBody, now());
    if (event === null) return refusal(400, 'bad_event');
    if (event.pluginId !== pluginId) return refusal(403, 'other_plugin');

    // The body is a part of the key: if an id were used for two events, a revocation must not count as a repeat.
    const delivery = `${header(headers, 'webhook-id')} ${sha256Hex(rawBody)}`;
    if ((delivered.get(delivery) ?? 0) <= now() && event.record.expiresAtMs > now()) {
      if (event.record.state === 'revoked') validated.delete(event.record.hash);
      try {
        await store.put(event.record);
      } catch {
        return refusal(503, 'not_stored');
      }
      remember(delivered, delivery, now() + 2 * TOLERANCE_SECONDS * 1000);
    }
    return { status: 200, body: '{"stored":true}' };
  }

  async function authenticate(pluginToken: string | undefined) {
    const userId = typeof pluginToken === 'string' ? PLUGIN_TOKEN.exec(pluginToken)?.[1] : undefined;
    if (pluginToken === undefined || userId === undefined) return null;
    const hash = sha256Hex(pluginToken);
    let record = await findRecord(hash);
    if (record === null && validate !== undefined) {
      const answer = await validateOnce(validate, pluginToken, hash);
      // A revocation may have arrived while the business backend was asked: it wins.
      record = (await findRecord(hash)) ?? answer;
    }
    if (record === null || record.state === 'revoked' || record.expiresAtMs <= now()) return null;
    if (!isSameText(record.hash, hash) || !isSameText(record.userId, userId)) return null;
    return { userId, expiresAt: new Date(record.expiresAtMs).toISOString() };
  }

  async function findRecord(hash: string): Promise<TokenRecord | null> {
    try {
      return await store.get(hash);
    } catch (cause) {
      throw new AuthenticationUnavailable('the token store does not answer', { cause });
    }
  }

  /** null: for the business backend it is not a token of this plugin. Both answers are kept for at most 30 s. */
  async function validateOnce(ask: NonNullable<typeof validate>, pluginToken: string, hash: string) {
    const known = validated.get(hash);
    if (known !== undefined && known.untilMs > now()) return known.record;
    const pending = asking.get(hash);
    if (pending !== undefined) return pending;
    // A flood of invented tokens must not flood the business backend.
    if (asking.size >= MAX_VALIDATIONS_AT_ONCE) throw new AuthenticationUnavailable('too many validations at once');
    const question = answerInTime(ask, pluginToken, hash).finally(() => asking.delete(hash));
    asking.set(hash, question);
    return question;
  }

  async function answerInTime(ask: NonNullable<typeof validate>, pluginToken: string, hash: string) {
    // Counted from before the call, because the answer may already be old when it arrives.
    const untilMs = now() + VALIDATED_MS;
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer in time')), VALIDATION_DEADLINE_MS);
    });
    try {
      const answer = await Promise.race([ask(pluginToken), tooLate]);
      const record = answer.active === true ? validatedRecord(answer, hash) : null;
      remember(validated, hash, { record, untilMs });
      return record;
    } catch (cause) {
      throw new AuthenticationUnavailable('the token could not be validated', { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  function validatedRecord(answer: Validation & { active: true }, hash: string): TokenRecord | null {
    const expiresAtMs = parseTime(answer.expiresAt);
    if (answer.pluginId !== pluginId || expiresAtMs === null) return null;
    return { hash, state: 'issued', userId: String(answer.userId), expiresAtMs, version: 0 };
  }

  return { receivePush, authenticate };
}

/** Standard Webhooks, symmetric: whether one of the keys signed these bytes within 300 s of `nowMs`. */
export function isSignedPush(headers: PushHeaders, rawBody: Uint8Array, keys: Buffer[], nowMs: number): boolean {
  const id = header(headers, 'webhook-id');
  const timestamp = header(headers, 'webhook-timestamp');
  const signatures = header(headers, 'webhook-signature');
  // An id may contain dots. Ten digits and a JSON object follow it, so the signed text still has only one reading.
  if (id === null || !/^[A-Za-z0-9_.:-]{1,256}$/.test(id)) return false;
  if (timestamp === null || !/^[1-9]\d{9}$/.test(timestamp)) return false;
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  if (signatures === null || signatures.length > 1024) return false;

  let matches = false;
  for (const key of keys) {
    const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(rawBody).digest('base64');
    // It does not stop early: the time must not show which secret or which entry was nearly right.
    for (const signature of signatures.split(' ')) matches = isSameText(signature, `v1,${mac}`) || matches;
  }
  return matches;
}

/** The key in `whsec_` + base64. Standard Webhooks requires 24 to 64 bytes. */
export function pushKey(secret: string): Buffer {
  const text = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : '';
  const key = Buffer.from(text, 'base64');
  if (key.toString('base64') !== text || key.length < 24 || key.length > 64) {
    throw new TypeError('pushSecrets: each must be whsec_ and the base64 of 24 to 64 bytes');
  }
  return key;
}

/** null: not an event of this protocol. Unknown members are ignored, unknown types are not. */
function parseEvent(rawBody: Uint8Array, nowMs: number): { pluginId: string; record: TokenRecord } | null {
  let body: { type?: unknown; data?: Record<string, unknown> } | null;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(rawBody));
  } catch {
    return null;
  }
  const { id, hash, userId, pluginId, expiresAt, version } = body?.data ?? {};
  const expiresAtMs = parseTime(expiresAt);
  const state = body?.type === 'plugin_token.issued' ? 'issued' : 'revoked';
  if (state === 'revoked' && body?.type !== 'plugin_token.revoked') return null;
  if (typeof id !== 'string' || typeof userId !== 'string' || typeof pluginId !== 'string') return null;
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return null;
  if (!Number.isSafeInteger(version) || expiresAtMs === null || expiresAtMs > nowMs + MAX_LIFE_MS) return null;
  return { pluginId, record: { hash, state, userId, expiresAtMs, version: version as number } };
}

/** Unix milliseconds; null: not an RFC 3339 time in UTC. */
function parseTime(value: unknown): number | null {
  const ms = typeof value === 'string' && UTC_TIME.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** null: the header is absent or was sent more than once. */
function header(headers: PushHeaders, name: string): string | null {
  if (headers instanceof Headers) return headers.get(name);
  const values = Object.entries(headers).flatMap(([key, value]) => (key.toLowerCase() === name ? (value ?? []) : []));
  return values.length === 1 ? (values[0] ?? null) : null;
}

function isSameText(presented: string, expected: string): boolean {
  const [a, b] = [Buffer.from(presented), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function sha256Hex(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Keeps at most MAX_REMEMBERED entries and drops the oldest. */
function remember<T>(memory: Map<string, T>, key: string, value: T) {
  memory.delete(key);
  const oldest = memory.size >= MAX_REMEMBERED ? memory.keys().next().value : undefined;
  if (oldest !== undefined) memory.delete(oldest);
  memory.set(key, value);
}

function refusal(status: number, error: string) {
  return { status, body: JSON.stringify({ error }) };
}
