import { type CachePolicy, readThrough } from '../cache/cache.ts';
import { optionalText } from '../config.ts';
import { query } from '../db.ts';
import { AppError, invalidInput } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import { sendOutside } from '../outgoing-address.ts';
import { channelKey } from '../swept-keys.ts';
import { count } from '../telemetry.ts';
import { TransportError } from '../transport.ts';

/** Channels whose users may log in (row C1 (channel login)). The server of the channel confirms each user. */
export interface LoginEntry {
  address: string;
  port: number;
}
interface Channel {
  channel: string;
  /** null: the channel needs no ticket (channel `demo` of the sandbox). */
  verifyUrl: string | null;
  /** Row C5 (login list). */
  loginList: LoginEntry[];
}

const sandboxKey = optionalText('SANDBOX_KEY');
const DEMO: Channel = { channel: 'demo', verifyUrl: null, loginList: [{ address: '127.0.0.1', port: 7000 }] };

const POLICY: CachePolicy = { freshSeconds: 300, graceSeconds: 300, nullSeconds: 30 };
const warm = new LocalCache<Channel>(200, 5_000);

/** Throws INVALID_INPUT for a channel that is not registered. */
export async function findChannel(channel: string, now = Date.now()): Promise<Channel> {
  if (channel === DEMO.channel && sandboxKey()) return DEMO;
  const known = warm.get(channel, now);
  if (known) return known;
  const [found] = await readThrough<Channel>([channelKey(channel)], POLICY, async () => {
    const [row] = await query(
      'SELECT verify_url, login_host, login_port, version FROM channels WHERE channel = ? AND removed_at IS NULL',
      [channel],
    );
    if (!row) return [{ value: null, version: 0 }];
    const loginList = [{ address: String(row.login_host), port: Number(row.login_port) }];
    return [{ value: { channel, verifyUrl: String(row.verify_url), loginList }, version: Number(row.version) }];
  });
  if (!found?.value) throw invalidInput({ path: 'channel', message: 'unknown channel' });
  warm.set(channel, found.value, now);
  return found.value;
}

const VERIFY_TIMEOUT_MS = 3_000;

/**
 * Asks the channel's server whether it issued the ticket for this user, before anything is answered or stored. Throws
 * INVALID_INPUT (no ticket), BAD_CREDENTIALS (refused), UNAVAILABLE (no clear answer, so the user is not let in).
 */
export async function confirmTicket(
  { channel, verifyUrl }: Channel,
  channelUserId: string,
  ticket: string | undefined,
): Promise<void> {
  if (verifyUrl === null) return;
  if (ticket === undefined) throw invalidInput({ path: 'ticket', message: 'this channel needs a ticket' });
  const verdict = await askChannel(verifyUrl, JSON.stringify({ channel, channelUserId, ticket }));
  if (verdict === 'confirmed') return;
  if (verdict === 'refused') throw new AppError('BAD_CREDENTIALS');
  count('channel.no-answer');
  throw new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
}

async function askChannel(verifyUrl: string, body: string): Promise<'confirmed' | 'refused' | 'unclear'> {
  try {
    const answer = await sendOutside({
      url: new URL(verifyUrl),
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      timeoutMs: VERIFY_TIMEOUT_MS,
      // The answer may be lost, so a channel may be asked twice about one ticket.
      repeatable: true,
      maxAnswerBytes: 4_096,
    });
    if (answer.status === 401 || answer.status === 403) return 'refused';
    const said: unknown = answer.status === 200 ? JSON.parse(answer.body.toString('utf8')) : undefined;
    if (typeof said !== 'object' || said === null) return 'unclear';
    const { ok, ...rest } = said as Record<string, unknown>;
    if (ok === true && Object.keys(rest).length === 0) return 'confirmed';
    return ok === false ? 'refused' : 'unclear';
  } catch (error) {
    if (error instanceof TransportError || error instanceof SyntaxError) return 'unclear';
    throw error;
  }
}
