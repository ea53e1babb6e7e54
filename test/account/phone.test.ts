import { randomInt } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { dumpMysql, dumpRedis } from '../support/engine-dump.ts';
import { type IdentityWorld, startIdentityWorld } from '../support/identity-world.ts';

let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld();
});

const PHONE_PATH = '/wxa/business/getuserphonenumber';
const newNumber = (): string => `138${randomInt(1e7, 1e8)}`;
const masked = (number: string): string => `${number.slice(0, 3)}****${number.slice(-4)}`;
const phoneCode = (number: string, appid?: string): string =>
  world.stack.wechat.issuePhoneCode({ number, ...(appid && { appid }) });
const logIn = (person: string, code: string, app = world.app) =>
  world.stack.call(app, 'POST', '/login/wechat', { body: { code: world.code(person, app), phoneCode: code } });
const TAKEN = { status: 409, body: { code: 'IDENTITY_TAKEN' } };
const BAD = { status: 401, body: { code: 'BAD_CREDENTIALS' } };

describe('a phone number', () => {
  test('comes with the login, is shown masked, and is in no engine in clear', async () => {
    const [person, number] = [world.newPerson(), newNumber()];
    const login = await logIn(person, phoneCode(number));
    expect(login).toMatchObject({ status: 200, body: { user: { phone: masked(number) } } });
    const again = await world.logIn(person);
    expect(again.body.user).toEqual(login.body.user);
    const member = await world.wechatMember(person);
    expect((await world.call(member, 'GET', '/me')).body.phone).toBe(masked(number));
    const dumps = `${await dumpMysql(world.stack.mysql)} ${await dumpRedis(world.stack.redis)}`;
    expect(dumps).not.toContain(number);
    expect(dumps).toContain(masked(number));
  });

  test('is linked later, and the new one takes the place of the former', async () => {
    const [first, second] = [newNumber(), newNumber()];
    const member = await world.passwordMember();
    const linked = await world.link(member, 'phone', { phoneCode: phoneCode(first) });
    expect(linked).toMatchObject({ status: 201, body: { platform: 'phone', label: masked(first) } });
    expect((await world.call(member, 'GET', '/me')).body.phone).toBe(masked(first));
    expect((await world.link(member, 'phone', { phoneCode: phoneCode(second) })).status).toBe(201);
    expect((await world.identities(member)).map(({ label }) => label).slice(1)).toEqual([masked(second)]);
    expect((await world.call(member, 'GET', '/me')).body.phone).toBe(masked(second));
    // The former number is free again.
    expect((await world.link(await world.passwordMember(), 'phone', { phoneCode: phoneCode(first) })).status).toBe(201);
  });

  test('of somebody else is refused; by a first login, before a user is created', async () => {
    const number = newNumber();
    await logIn(world.newPerson(), phoneCode(number));
    expect(await world.link(await world.passwordMember(), 'phone', { phoneCode: phoneCode(number) })).toMatchObject(
      TAKEN,
    );
    const [[before]] = (await world.stack.mysql.query('SELECT COUNT(*) AS users FROM users')) as unknown as [[object]];
    const person = world.newPerson();
    expect(await logIn(person, phoneCode(number))).toMatchObject(TAKEN);
    const [[after]] = (await world.stack.mysql.query('SELECT COUNT(*) AS users FROM users')) as unknown as [[object]];
    expect(after).toEqual(before);
    expect((await world.logIn(person)).body.user.phone).toBeNull();
  });

  test('of the same person at the second mini-program is the same user’s', async () => {
    const [person, number] = [world.newPerson(), newNumber()];
    const first = await logIn(person, phoneCode(number));
    const second = await logIn(person, phoneCode(number, world.otherAppid), world.other);
    expect(second).toMatchObject({ status: 200, body: { user: first.body.user } });
  });

  test('asks WeChat once for a code: the same user gets the same answer, nobody else gets one', async () => {
    const code = phoneCode(newNumber());
    const member = await world.passwordMember();
    const before = world.stack.wechat.calls(PHONE_PATH);
    const first = await world.link(member, 'phone', { phoneCode: code });
    expect(await world.link(member, 'phone', { phoneCode: code })).toMatchObject({ status: 201, body: first.body });
    const stranger = await world.passwordMember();
    expect(await world.link(stranger, 'phone', { phoneCode: code })).toMatchObject(BAD);
    expect(world.stack.wechat.calls(PHONE_PATH) - before).toBe(1);
    expect((await world.call(stranger, 'GET', '/me')).body.phone).toBeNull();
  });

  test('needs a code of this mini-program that WeChat has issued', async () => {
    const member = await world.passwordMember();
    const wrong = [
      'made-up',
      phoneCode(newNumber(), world.otherAppid),
      world.stack.wechat.issuePhoneCode({ number: newNumber(), watermarkAppid: world.otherAppid }),
    ];
    for (const code of wrong) expect(await world.link(member, 'phone', { phoneCode: code })).toMatchObject(BAD);
    expect(await world.link(member, 'phone', { phoneCode: '' })).toMatchObject({ status: 400 });
    expect((await world.call(member, 'GET', '/me')).body.phone).toBeNull();
  });

  test('is fetched at most ten times an hour for a user: each number costs money', async () => {
    const member = await world.passwordMember();
    const link = () => world.link(member, 'phone', { phoneCode: phoneCode(newNumber()) });
    for (let n = 1; n <= 10; n++) expect((await link()).status).toBe(201);
    const before = world.stack.wechat.calls(PHONE_PATH);
    expect(await link()).toMatchObject({ status: 429, body: { code: 'LOCKED' } });
    expect(world.stack.wechat.calls(PHONE_PATH)).toBe(before);
  });

  test('is not fetched for a login that fails anyway, and a code of wx.login survives a wrong phone code', async () => {
    const person = world.newPerson();
    const before = world.stack.wechat.calls(PHONE_PATH);
    const invented = { code: 'made-up', phoneCode: phoneCode(newNumber()) };
    expect(await world.stack.call(world.app, 'POST', '/login/wechat', { body: invented })).toMatchObject(BAD);
    expect(world.stack.wechat.calls(PHONE_PATH)).toBe(before);
    const code = world.code(person);
    const post = (body: object) => world.stack.call(world.app, 'POST', '/login/wechat', { body });
    expect(await post({ code, phoneCode: 'made-up' })).toMatchObject(BAD);
    expect((await post({ code })).status).toBe(200);
  });

  test('is erased with the account, and free for the next one', async () => {
    const [person, number] = [world.newPerson(), newNumber()];
    await logIn(person, phoneCode(number));
    const member = await world.wechatMember(person);
    expect((await world.call(member, 'DELETE', '/me', { code: world.code(person) })).status).toBe(204);
    const sql = 'SELECT * FROM identities WHERE user_id = ?';
    expect((await world.stack.mysql.query(sql, [member.userId]))[0]).toEqual([]);
    expect(await logIn(world.newPerson(), phoneCode(number))).toMatchObject({ status: 200 });
  });
});
