import * as v from 'valibot';
import { confirmTicket, findChannel } from '../../shared/channel/channel.ts';
import { accountAddress, issueFirstString } from '../../shared/channel/first-string.ts';
import { endpoint } from '../../shared/http/endpoint.ts';
import { text } from '../../shared/http/login-inputs.ts';
import { ticketRules } from '../../shared/lock/guessing.ts';
import { withNetworks } from '../../shared/lock/network-rules.ts';
import type { LockRule } from '../../shared/lock/rule.ts';

/** Counted by address, too: naming another user does not lock that user out. */
const starts: LockRule[] = [
  ...withNetworks(
    { name: 'starts-by-ip', by: ['ip'], limit: 600, windowSeconds: 60, count: 'call', onError: 'closed' },
    { net56: 1_200, net48: 2_400 },
  ),
  { name: 'starts-by-user', by: ['resource', 'ip'], limit: 120, windowSeconds: 60, count: 'call', onError: 'closed' },
];

/** Row C1 (channel login): issues the first string. */
export const channelStart = endpoint(
  {
    route: 'POST /login/channel',
    auth: 'app',
    scope: 'login',
    open: 'open:channel',
    body: v.strictObject({
      channel: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 _ -')),
      channelUserId: v.pipe(v.string(), v.regex(/^[^\s\p{C}]{1,128}$/u, 'expected 1 to 128 visible characters')),
      ticket: v.optional(text(4_096)),
    }),
    rules: [...starts, ...ticketRules],
    identities: ({ body }) => ({
      account: accountAddress(body),
      resource: `${body.channel}:${body.channelUserId}`,
      peer: body.channel,
    }),
  },
  async ({ app, body: { channel, channelUserId, ticket }, succeeded }) => {
    await confirmTicket(await findChannel(channel), channelUserId, ticket);
    await succeeded();
    return issueFirstString(app.appId, { channel, channelUserId });
  },
);
