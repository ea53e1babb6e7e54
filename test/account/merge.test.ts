import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findUser } from '../../shared/account/admin.ts';
import { setUserDisabled } from '../../shared/account/change.ts';
import { linkPhone, linkWechat } from '../../shared/account/link.ts';
import { mergeUsers, planMerge } from '../../shared/account/merge.ts';
import { phoneOf } from '../../shared/account/phone.ts';
import { getResource } from '../../shared/data/resources.ts';
import { putResource } from '../../shared/data/write.ts';
import { registerPlugin } from '../../shared/plugin/admin.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { ownSession } from '../support/bearer-session.ts';
import { insertAccount, KNOWN_PASSWORD } from '../support/known-accounts.ts';
import { type MergePerson, type MergeWorld, startMergeWorld } from '../support/merge-world.ts';

let world: MergeWorld;
let { send, logIn, newPerson, book, bookings, order, merge, me, rows, merges } = {} as MergeWorld;
beforeAll(async () => {
  world = await startMergeWorld();
  ({ send, logIn, newPerson, book, bookings, order, merge, me, rows, merges } = world);
});

async function namedPerson() {
  const { account, userId } = await insertAccount(world.stack.mysql);
  const body = { account, password: KNOWN_PASSWORD };
  const logInByName = () => world.stack.call(world.app, 'POST', '/login', { body });
  const session: string = (await logInByName()).body.token;
  return { account, userId, session, openid: '', logInByName };
}
const givePhone = async ({ userId }: { userId: string }, number: string) =>
  linkPhone(
    await ownSession(world.app.appId, userId),
    phoneOf({ number, masked: `${number.slice(3, 6)}****${number.slice(-4)}` }),
  );
const phonesOf = ({ userId }: { userId: string }) =>
  rows("SELECT label FROM identities WHERE user_id = ? AND platform = 'phone'", [userId]);
/** The reasons of a refused merge, one a line. */
const refusal = (from: MergePerson, into: MergePerson): Promise<string> =>
  merge(from, into).then(
    () => 'merged',
    (error: Error) => error.message,
  );

describe('a merge', () => {
  test('moves the records, which the other user has at once in every list', async () => {
    const [from, into] = [await newPerson(), await newPerson()];
    const [moved, own] = [await book(from), await book(into)];
    const voucher = { userId: from.userId, title: 'Walk', amountFen: 5, expiresAt: '2031-01-01T00:00:00.000Z' };
    await putResource(getResource('voucher'), '777', voucher);
    // All of these are in the cache now.
    expect([await bookings(from), await bookings(into)]).toEqual([[moved], [own]]);
    expect((await send('GET', `/data/booking/${moved}`, into.session)).status).toBe(404);
    const merged = await merge(from, into);
    expect(merged).toMatchObject({ identities: 1, records: { booking: 1, voucher: 1 }, overQuota: [] });
    expect((await bookings(into)).sort()).toEqual([moved, own].sort());
    expect((await send('GET', `/data/booking/${moved}`, into.session)).body).toMatchObject({ version: 2 });
    expect((await send('GET', '/data/voucher/777', into.session)).body).toMatchObject({ title: 'Walk' });
    expect((await send('DELETE', `/data/booking/${moved}`, into.session)).status).toBe(204);
  });

  test('ends the sessions and plugin tokens of the one, and no session of the other', async () => {
    const [from, into] = [await newPerson(), await newPerson()];
    const server = createServer((_, answer) => answer.writeHead(204).end()).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const plugin = await registerPlugin({ pluginId: 'maps', serverUrl: `http://127.0.0.1:${port}/push` });
    const { pluginToken } = (await send('POST', '/plugins/maps/token', from.session)).body;
    const isActive = async () =>
      (await world.stack.call(plugin, 'POST', '/plugins/maps/validate', { body: { pluginToken } })).body.active;
    expect([await isActive(), await me(from.session), await me(into.session)]).toEqual([
      true,
      from.userId,
      into.userId,
    ]);
    await merge(from, into);
    expect([await isActive(), await me(from.session), await me(into.session)]).toEqual([
      false,
      'SESSION_REVOKED',
      into.userId,
    ]);
  });

  test('moves every identity: a login with each of them is a login of the other user', async () => {
    const [from, into] = [await namedPerson(), await newPerson()];
    const person = { wechatAppid: world.stack.env.WECHAT_APPID ?? '', openid: 'openid-2nd', unionid: 'union-2nd' };
    await linkWechat(await ownSession(world.app.appId, from.userId), person);
    await givePhone(from, '+8613800000001');
    await me(into.session);
    expect(await mergeUsers({ from: from.userId, into: into.userId }, { wallets: false }, 'tester')).toMatchObject({
      identities: 2,
      account: 'moves',
      phone: 'moves',
    });
    const logins = [await from.logInByName(), await logIn(person.openid), await logIn(into.openid)];
    expect(logins.map(({ body }) => body.user.userId)).toEqual([into.userId, into.userId, into.userId]);
    // The copy of the session was renewed.
    const { body } = await send('GET', '/me', into.session);
    expect(body).toMatchObject({ account: from.account, phone: '138****0001' });
    expect(await findUser('unionid', 'union-2nd')).toMatchObject({ userId: into.userId });
    expect(await findUser('user', from.userId)).toMatchObject({
      state: 'merged',
      mergedInto: into.userId,
      identities: 0,
    });
  });

  test('keeps the name and the number of the user that stays, and reserves the other name', async () => {
    const [from, into] = [await namedPerson(), await namedPerson()];
    await givePhone(from, '+8613800000002');
    await givePhone(into, '+8613800000003');
    expect(await merge(from, into)).toMatchObject({ identities: 0, account: 'ends', phone: 'ends' });
    expect(await phonesOf(into)).toEqual([{ label: '138****0003' }]);
    expect(await findUser('phone', '+8613800000002')).toBeNull();
    expect((await into.logInByName()).body.user).toMatchObject({ userId: into.userId, account: into.account });
    expect((await from.logInByName()).body).toMatchObject({ code: 'BAD_CREDENTIALS' });
    const body = { account: from.account, password: KNOWN_PASSWORD };
    const again = await world.stack.call(world.app, 'POST', '/accounts', { body });
    expect(again.body).toMatchObject({ code: 'ACCOUNT_EXISTS' });
  });

  test('moves the extra fields of apps where the other user has none', async () => {
    const [from, into] = [await newPerson(), await newPerson()];
    const [one, two] = [await world.stack.createApp(), await world.stack.createApp()];
    const put = (appId: string, { userId }: MergePerson, fields: object) =>
      world.stack.mysql.query('INSERT INTO user_fields (app_id, user_id, fields) VALUES (?)', [
        [appId, userId, JSON.stringify(fields)],
      ]);
    await put(one.appId, from, { level: 1 });
    await put(one.appId, into, {});
    await put(two.appId, from, { level: 2 });
    await put(two.appId, into, { level: 3 });
    expect(await merge(from, into)).toMatchObject({ fields: [one.appId] });
    const levels = await rows(
      "SELECT app_id, JSON_EXTRACT(fields, '$.level') AS level FROM user_fields WHERE user_id = ?",
      [into.userId],
    );
    expect(new Map(levels.map((row) => [row.app_id, Number(row.level)]))).toEqual(
      new Map([
        [one.appId, 1],
        [two.appId, 3],
      ]),
    );
  });

  test('names the resources of which the user then has more records than users may write', async () => {
    const [from, into] = [await newPerson(), await newPerson()];
    const many = (userId: string, first: number) =>
      Array.from({ length: 60 }, (_, i) => [
        first + i,
        userId,
        1,
        '2030-05-01',
        '',
        'requested',
        '2026-01-01 00:00:00',
      ]);
    const columns = 'id, user_id, service_id, day, note, status, created_at';
    const values = [...many(from.userId, 5_000_000), ...many(into.userId, 6_000_000)];
    await world.stack.mysql.query(`INSERT INTO bookings (${columns}) VALUES ?`, [values]);
    expect(await merge(from, into)).toMatchObject({ records: { booking: 60 }, overQuota: ['booking'] });
  });

  test('is planned without a change, and writes who did it with both ids', async () => {
    const [from, into] = [await newPerson(), await newPerson()];
    await book(from);
    const plan = await planMerge({ from: from.userId, into: into.userId }, { wallets: false });
    expect(await me(from.session)).toBe(from.userId);
    expect(await merge(from, into)).toEqual(plan);
    const [logged, ...others] = await rows("SELECT * FROM audit_log WHERE action = 'user.merge' AND subject = ?", [
      into.userId,
    ]);
    expect(logged).toMatchObject({ actor: 'tester' });
    expect(JSON.stringify(logged?.detail)).toContain(from.userId);
    expect(others).toEqual([]);
  });
});

describe('a merge is refused', () => {
  test('while one of the two has an open order, units or a refund in progress, with every reason', async () => {
    const [from, into] = [await newPerson(), await newPerson()];
    const { orderNo } = (await order(from)).body;
    const reason = (counts: string) =>
      `Nothing was merged.\nUser ${from.userId}, app ${world.app.appId}: ${counts} refunds in progress.`;
    expect(await refusal(from, into)).toBe(reason('0 units, 0 of them held, 1 open orders, 0'));
    expect(await refusal(into, from)).toBe(reason('0 units, 0 of them held, 1 open orders, 0'));
    await payAtSandbox(orderNo, { notification: true });
    expect(await refusal(from, into)).toMatch(/: [1-9]\d* units, 0 of them held, 0 open orders, 0 refunds/);
    await world.stack.mysql.query(
      "INSERT INTO refunds (refund_no, order_no, amount_fen, units, status) VALUES ('r-merge', ?, 1, 1, 'processing')",
      [orderNo],
    );
    await order(into);
    await setUserDisabled(into.userId, true);
    const reasons = (await refusal(from, into)).split('\n');
    expect(reasons).toHaveLength(4);
    expect(reasons[1]).toContain('1 refunds in progress');
    expect(reasons[2]).toContain('enable it first');
    expect(reasons[3]).toContain('1 open orders');
    expect(await merges(into)).toEqual([]);
  });

  test('for a user that does not exist, was erased or merged before, and for one user twice', async () => {
    const [from, into, third] = [await newPerson(), await newPerson(), await newPerson()];
    const nobody = { ...from, userId: 'nobody' };
    expect(await refusal(nobody, into)).toContain('There is no user nobody');
    expect(await refusal(from, nobody)).toContain('There is no user nobody');
    expect(await refusal(from, from)).toContain('into itself');
    await merge(from, into);
    expect(await refusal(third, from)).toBe(`User ${from.userId} was merged into user ${into.userId} before.`);
    expect(await refusal(from, third)).toBe(`User ${from.userId} was merged into user ${into.userId} before.`);
    const body = { code: world.stack.wechat.issueCode(third.openid) };
    expect((await world.stack.call(world.app, 'DELETE', '/me', { session: third.session, body })).status).toBe(204);
    expect(await refusal(third, into)).toBe(`User ${third.userId} is erased.`);
  });
});
