import { beforeAll, describe, expect, test } from 'vitest';
import { createClient, fetchTransport } from '../../client/miniapp-client.ts';
import { makeResetToken } from '../../shared/account/password-reset.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let world: PublicWorld;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true, sandbox: true });
  world = await publicWorld(stack);
});

const password = 'eleven-owls-in-the-barn';
const start = (person = world.newPerson()) =>
  createClient({
    ...{ baseUrl: stack.url, appId: world.appId, transport: fetchTransport(fetch) },
    silentCode: async () => stack.wechat.issueCode(person),
  });
const code = (failure: { code: string }) => failure.code;
const platforms = (identities: Array<{ platform: string }>) => identities.map(({ platform }) => platform).sort();

describe('the SDK at the real service', () => {
  test('a password user links WeChat and a phone, is the same user by WeChat, and removes WeChat', async () => {
    const person = world.newPerson();
    const client = start(person);
    await client.register({ account: 'sdk-links', password });
    const { user } = await client.login({ account: 'sdk-links', password });
    expect(user.phone).toBeNull();
    const wechat = await client.linkWechat();
    const phone = await client.linkPhone({ phoneCode: stack.wechat.issuePhoneCode({ number: '13900001111' }) });
    expect([wechat.platform, phone.label]).toEqual(['wechat', '139****1111']);
    expect((await client.me()).phone).toBe('139****1111');
    expect(platforms(await client.identities())).toEqual(['password', 'phone', 'wechat']);

    const other = start(person);
    expect((await other.me()).userId).toBe(user.userId);
    await client.unlink(wechat.id, { proof: { password } });
    expect(platforms(await client.identities())).toEqual(['password', 'phone']);
    expect((await client.me()).userId).toBe(user.userId);
    expect(await other.me().catch(code)).toBe('USER_CHANGED');
    expect(await client.unlink(wechat.id).catch(code)).toBe('NOT_FOUND');
  });

  test('a WeChat user binds a phone at the login, gets a password, and exports', async () => {
    const client = start();
    const phoneCode = stack.wechat.issuePhoneCode({ number: '13900002222' });
    const { user } = await client.loginWechat({ phoneCode });
    expect(user.phone).toBe('139****2222');
    const [only] = (await client.identities()).filter(({ platform }) => platform === 'wechat');
    expect(await client.unlink(String(only?.id)).catch(code)).toBe('LAST_IDENTITY');
    await client.linkPassword({ account: 'sdk-named', password });
    const page = start();
    expect((await page.login({ account: 'sdk-named', password })).user.userId).toBe(user.userId);
    expect(await client.exportData()).toMatchObject({ userId: user.userId, account: 'sdk-named' });
    expect(await client.exportData().catch(code)).toBe('LOCKED');
  });

  test('WeChat that has another account is refused if this account has a password', async () => {
    const person = world.newPerson();
    const taken = start(person);
    await taken.loginWechat();
    await taken.linkPassword({ account: 'sdk-owner', password });
    const client = start(person);
    await client.register({ account: 'sdk-other', password });
    await client.login({ account: 'sdk-other', password });
    expect(await client.linkWechat().catch(code)).toBe('IDENTITY_TAKEN');
  });

  test('a forgotten password is replaced with the token of an operator, and the old one ends', async () => {
    const client = start();
    const { userId } = await client.register({ account: 'sdk-forgot', password });
    const { resetToken } = await makeResetToken(userId, 'test');
    const next = 'twelve-owls-in-the-barn';
    await client.resetPassword({ resetToken, password: next });
    expect(await client.login({ account: 'sdk-forgot', password }).catch(code)).toBe('BAD_CREDENTIALS');
    expect((await client.login({ account: 'sdk-forgot', password: next })).user.userId).toBe(userId);
  });

  test('an account with an open order is erased only if the user gives it up', async () => {
    const person = world.newPerson();
    const client = start(person);
    await client.recharge({ productId: 'coins-10', provider: 'sandbox' });
    const proof = () => ({ code: stack.wechat.issueCode(person) });
    expect(await client.deleteAccount(proof()).catch(code)).toBe('WALLET_NOT_EMPTY');
    await client.deleteAccount({ ...proof(), forfeit: true });
    expect(await client.isLoggedIn()).toBe(false);
  });
});
