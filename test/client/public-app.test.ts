import { beforeAll, describe, expect, test } from 'vitest';
import { createClient, fetchTransport } from '../../client/miniapp-client.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let world: PublicWorld;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true, sandbox: true });
  world = await publicWorld(stack);
});

/** A mini-program on the phone of one person, with the package of the public app. */
function start(person = world.newPerson(), now = Date.now) {
  let kept: string | null = null;
  const codes: string[] = [];
  const client = createClient({
    baseUrl: stack.url,
    appId: world.appId,
    transport: fetchTransport(fetch),
    silentCode: async () => {
      codes.push(stack.wechat.issueCode(person));
      return codes.at(-1) as string;
    },
    keep: {
      load: async () => kept,
      save: async (text) => {
        kept = text;
      },
    },
    now,
  });
  return { client, codes, kept: () => JSON.parse(kept ?? 'null') as { session: string; key: string } | null };
}

describe('the SDK of a public app at the real service', () => {
  test('logs in silently at the first call; reads, writes and money are signed by the session', async () => {
    const { client, codes } = start();
    const [me, notice] = await Promise.all([client.me(), client.readOne('notice', 1)]);
    expect(notice).toMatchObject({ id: '1' });
    expect((await client.updateProfile({ nickname: '茶' })).profile).toEqual({ nickname: '茶' });
    const created = await client.recharge({ productId: 'coins-10', provider: 'sandbox' });
    expect((await client.syncOrder(created.orderNo)).status).toBe('pending');
    expect((await client.sessions()).filter(({ current }) => current)).toHaveLength(1);
    expect([codes.length, me.account]).toEqual([1, null]);
  });

  test('on a device with a wrong clock: five calls at once succeed, before and after the first login', async () => {
    const { client, codes } = start(undefined, () => Date.now() - 86_400_000);
    const users = await Promise.all([1, 2, 3, 4, 5].map(() => client.me()));
    expect(new Set(users.map(({ userId }) => userId)).size).toBe(1);
    expect(codes).toHaveLength(1);
  });

  test('without a session reads open data and registers by name, then logs in by password', async () => {
    const client = createClient({ baseUrl: stack.url, appId: world.appId, transport: fetchTransport(fetch) });
    expect(await client.readOne('notice', 1)).toMatchObject({ id: '1' });
    await expect(client.me()).rejects.toMatchObject({ code: 'LOGIN_REQUIRED' });
    const credentials = { account: 'sdk-public', password: 'nine-owls-in-the-barn' };
    await client.register(credentials);
    await client.login(credentials);
    const newPassword = 'ten-owls-in-the-barn';
    await client.changePassword({ oldPassword: credentials.password, newPassword });
    expect((await client.me()).account).toBe('sdk-public');
    expect(await client.sessions()).toHaveLength(1);
    await client.logout();
    await expect(client.me()).rejects.toMatchObject({ code: 'LOGIN_REQUIRED' });
  });

  test('a session that was ended elsewhere is replaced silently, and the call is repeated', async () => {
    const person = world.newPerson();
    const [phone, tablet] = [start(person), start(person)];
    await phone.client.me();
    await tablet.client.revokeOtherSessions();
    const key = { idempotencyKey: 'after-the-revocation-1' };
    const order = await phone.client.request<{ status: string }>('POST', '/recharge', {
      body: { productId: 'coins-10', provider: 'sandbox' },
      ...key,
    });
    expect([order.status, phone.codes.length]).toEqual(['pending', 2]);
  });

  test('a login under a session takes its place: a copy of the former key is refused', async () => {
    const { client, kept } = start();
    await client.me();
    const copied = kept() ?? { session: '', key: '' };
    expect(await world.stateOf(copied)).toBe('alive');
    await client.loginWechat();
    expect(await world.stateOf(copied)).toBe('SESSION_REVOKED');
    expect((await client.sessions()).length).toBe(1);
  });

  test('after a logout the session is dead everywhere', async () => {
    const { client, kept } = start();
    await client.me();
    const copied = kept() ?? { session: '', key: '' };
    await client.logout();
    expect(kept()).toBeNull();
    expect(await world.stateOf(copied)).toBe('SESSION_REVOKED');
  });
});
