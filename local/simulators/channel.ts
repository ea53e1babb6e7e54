import { randomBytes } from 'node:crypto';
import { type Fault, type SimulatedAnswer, startLoopbackServer } from './loopback-server.ts';

export interface ChannelSimulator {
  /** Register it as the channel's verify URL. */
  url: string;
  /** Makes a ticket as the channel's SDK does. It can be verified more than once, because an answer can be lost. */
  issueTicket(channelUserId: string): string;
  /** All questions, also those without an answer. */
  received: { channel: unknown; channelUserId: unknown; ticket: unknown }[];
  misbehave(fault: Fault | null): void;
  stop(): Promise<void>;
}

const TICKET_LIFE_MS = 300_000;

/** Simulates a channel's server: confirms that it issued a ticket for a user (before row C1 (login information)). */
export async function startChannelSimulator(options: {
  channel: string;
  port?: number;
  now?: () => number;
}): Promise<ChannelSimulator> {
  const { channel, now = Date.now } = options;
  const tickets = new Map<string, { channelUserId: string; expiresAtMs: number }>();
  const received: ChannelSimulator['received'] = [];

  function verify(body: Buffer): SimulatedAnswer {
    let question: unknown;
    try {
      question = JSON.parse(body.toString('utf8'));
    } catch {
      return { status: 400, body: { ok: false } };
    }
    if (typeof question !== 'object' || question === null) return { status: 400, body: { ok: false } };
    const { channel: asked, channelUserId, ticket } = question as Record<string, unknown>;
    received.push({ channel: asked, channelUserId, ticket });
    const known = typeof ticket === 'string' ? tickets.get(ticket) : undefined;
    const ok = known !== undefined && known.expiresAtMs > now() && known.channelUserId === channelUserId;
    return { status: 200, body: { ok: ok && asked === channel } };
  }

  const server = await startLoopbackServer(({ method, path, body }) => {
    return method === 'POST' && path === '/verify' ? verify(body) : { status: 404, body: { ok: false } };
  }, options.port);

  return {
    ...server,
    url: `${server.url}/verify`,
    received,
    issueTicket(channelUserId) {
      const ticket = randomBytes(24).toString('base64url');
      tickets.set(ticket, { channelUserId, expiresAtMs: now() + TICKET_LIFE_MS });
      return ticket;
    },
  };
}
