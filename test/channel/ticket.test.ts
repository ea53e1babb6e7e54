import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ChannelSimulator, startChannelSimulator } from '../../local/simulators/channel.ts';
import { putChannel, removeChannel } from '../../shared/channel/admin.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

describe('the ticket of a channel', () => {
  let stack: TestStack;
  let app: TestApp;
  let channel: ChannelSimulator;
  let rival: ChannelSimulator;
  beforeAll(async () => {
    stack = await startTestStack({ sandbox: false });
    app = await stack.createApp();
    [channel, rival] = await Promise.all([
      startChannelSimulator({ channel: 'harbour' }),
      startChannelSimulator({ channel: 'rival' }),
    ]);
    const login = { loginHost: 'login.harbour.example', loginPort: 9000 };
    await putChannel({ channel: 'harbour', verifyUrl: channel.url, ...login }, 'test');
    await putChannel({ channel: 'rival', verifyUrl: rival.url, ...login }, 'test');
  });
  afterAll(() => Promise.all([channel.stop(), rival.stop()]));

  const start = (body: unknown) => stack.call(app, 'POST', '/login/channel', { body });
  const user = (): string => randomBytes(6).toString('hex');

  test('is confirmed by the channel before a login starts', async () => {
    const channelUserId = user();
    const ticket = channel.issueTicket(channelUserId);
    expect(await start({ channel: 'harbour', channelUserId, ticket })).toMatchObject({ status: 200 });
    expect(channel.received.at(-1)).toEqual({ channel: 'harbour', channelUserId, ticket });
  });

  test('of another user or channel, or an invented one, is refused', async () => {
    const [mine, theirs] = [user(), user()];
    const tickets = [channel.issueTicket(theirs), rival.issueTicket(mine), 'made-up'];
    for (const ticket of tickets) {
      const answer = await start({ channel: 'harbour', channelUserId: mine, ticket });
      expect(answer).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
    }
  });

  test('is required, an unknown channel is refused, and the channel demo exists in the sandbox only', async () => {
    for (const body of [
      { channel: 'harbour', channelUserId: 'x' },
      { channel: 'nowhere', channelUserId: 'x', ticket: 'x' },
      { channel: 'demo', channelUserId: 'x' },
      { channel: '__proto__', channelUserId: 'x', ticket: 'x' },
      { channel: 'harbour', channelUserId: ' x', ticket: 'x' },
      { channel: 'harbour', channelUserId: 'a\u0000b', ticket: 'x' },
      { channel: 'harbour', channelUserId: 'x', ticket: 'x', url: 'http://evil.example' },
    ]) {
      expect(await start(body), JSON.stringify(body)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    }
  });

  test('is refused with UNAVAILABLE when the channel gives no clear answer', async () => {
    const channelUserId = user();
    const ticket = channel.issueTicket(channelUserId);
    const answers = [
      { status: 500, body: { ok: true } },
      { status: 200, body: { ok: true, and: 'more' } },
      { status: 200, body: { ok: 'true' } },
      { status: 200, body: [] },
      { status: 302, body: { ok: true }, headers: { location: rival.url } },
    ];
    for (const answer of answers) {
      channel.misbehave({ kind: 'answer', ...answer });
      const refused = await start({ channel: 'harbour', channelUserId, ticket });
      expect(refused, JSON.stringify(answer)).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    }
    for (const fault of [{ kind: 'refuse' }, { kind: 'hang' }] as const) {
      channel.misbehave(fault);
      expect(await start({ channel: 'harbour', channelUserId, ticket })).toMatchObject({ status: 503 });
    }
    channel.misbehave(null);
    expect(await start({ channel: 'harbour', channelUserId, ticket })).toMatchObject({ status: 200 });
  });

  test('the same user id at two channels gives two accounts', async () => {
    const channelUserId = user();
    const [here, there] = await Promise.all(
      [
        { channel: 'harbour', ticket: channel.issueTicket(channelUserId) },
        { channel: 'rival', ticket: rival.issueTicket(channelUserId) },
      ].map((one) => start({ ...one, channelUserId })),
    );
    expect([here?.status, there?.status]).toEqual([200, 200]);
    expect(here?.body.accountAddress).not.toBe(there?.body.accountAddress);
  });

  test('a removed channel is refused', async () => {
    const gone = await startChannelSimulator({ channel: 'gone' });
    const registered = { channel: 'gone', verifyUrl: gone.url, loginHost: 'login.example', loginPort: 9000 };
    await putChannel(registered, 'test');
    await removeChannel('gone', 'test');
    const body = { channel: 'gone', channelUserId: 'x', ticket: gone.issueTicket('x') };
    expect(await start(body)).toMatchObject({ status: 400 });
    await gone.stop();
    await expect(removeChannel('gone', 'test')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
