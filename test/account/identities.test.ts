import { beforeAll, describe, expect, test } from 'vitest';
import { type IdentityWorld, startIdentityWorld } from '../support/identity-world.ts';
import { KNOWN_PASSWORD } from '../support/known-accounts.ts';

/** One user with several ways to log in. */
let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld({ seeded: true });
});

const PROOF_REQUIRED = { status: 401, body: { code: 'PROOF_REQUIRED' } };
const TAKEN = { status: 409, body: { code: 'IDENTITY_TAKEN' } };
const platforms = (identities: Array<{ platform: string }>) => identities.map(({ platform }) => platform);

describe('a user with a password who links WeChat', () => {
  test('logs in by WeChat, also at a second mini-program, and is the same user there', async () => {
    const person = world.newPerson();
    const member = await world.passwordMember();
    const linked = await world.link(member, 'wechat', { code: world.code(person) });
    expect(linked).toMatchObject({ status: 201, body: { platform: 'wechat' } });
    expect((await world.logIn(person)).body.user).toMatchObject({ userId: member.userId, account: member.account });
    expect((await world.logIn(person, world.other)).body.user.userId).toBe(member.userId);
    const identities = await world.identities(member);
    expect(platforms(identities)).toEqual(['password', 'wechat', 'wechat']);
    expect(identities).toContainEqual(linked.body);
    for (const { label } of identities) expect(label).toContain('****');
  });

  test('links the same WeChat again: the same identity, and no second row', async () => {
    const person = world.newPerson();
    const member = await world.passwordMember();
    const first = await world.link(member, 'wechat', { code: world.code(person) });
    const second = await world.link(member, 'wechat', { code: world.code(person) });
    expect(second).toMatchObject({ status: 201, body: first.body });
    expect(await world.identities(member)).toHaveLength(2);
  });

  test('has the openid of the calling app’s mini-program as payer', async () => {
    const person = world.newPerson();
    const member = await world.passwordMember();
    await world.link(member, 'wechat', { code: world.code(person) });
    await world.wechatMember(person, world.other);
    const sql = 'SELECT platform_app, subject FROM identities WHERE user_id = ? AND platform = ?';
    const [rows] = (await world.stack.mysql.query(sql, [member.userId, 'wechat'])) as unknown as [
      Array<{ platform_app: string; subject: string }>,
    ];
    expect(rows.map((row) => row.platform_app).sort()).toEqual([world.stack.env.WECHAT_APPID, world.otherAppid]);
    expect(new Set(rows.map((row) => row.subject)).size).toBe(2);
  });
});

describe('an openid and a unionid that belong to different users', () => {
  test('the known openid decides, and the unionid stays where it is', async () => {
    const [first, second] = [world.newPerson(), world.newPerson()];
    const [byOpenid, byUnionid] = [await world.wechatMember(first, world.other), await world.wechatMember(second)];
    const { mysql } = world.stack;
    const sql = "UPDATE identities SET user_id = ? WHERE user_id = ? AND platform = 'wechat-union'";
    await mysql.execute(sql, [byUnionid.userId, byOpenid.userId]);
    const login = await world.logIn(first, world.other);
    expect(login.body.user.userId).toBe(byOpenid.userId);
    const owners = "SELECT user_id FROM identities WHERE platform = 'wechat-union' AND user_id IN (?, ?)";
    const [rows] = await mysql.query(owners, [byOpenid.userId, byUnionid.userId]);
    expect(rows).toEqual([{ user_id: byUnionid.userId }, { user_id: byUnionid.userId }]);
    // At a mini-program where the openid is new, the unionid decides.
    expect((await world.logIn(first)).body.user.userId).toBe(byUnionid.userId);
  });
});

describe('to add or remove an identity', () => {
  test('a session of more than ten minutes needs a proof; a wrong one changes nothing', async () => {
    const [person, stranger] = [world.newPerson(), world.newPerson()];
    const member = await world.passwordMember();
    await world.wechatMember(stranger);
    await world.link(member, 'wechat', { code: world.code(person) });
    await world.age(member);
    const before = await world.identities(member);
    const wrong = [undefined, { password: 'not-this-password' }, { code: world.code(stranger) }, { code: 'made-up' }];
    for (const proof of wrong) {
      const body = { code: world.code(world.newPerson()), ...(proof && { proof }) };
      expect(await world.link(member, 'wechat', body), JSON.stringify(proof)).toMatchObject(PROOF_REQUIRED);
      expect(await world.unlink(member, String(before[0]?.id), proof)).toMatchObject(PROOF_REQUIRED);
    }
    expect(await world.link(member, 'phone', { phoneCode: 'x' })).toMatchObject(PROOF_REQUIRED);
    const account = `n-${Date.now()}`;
    expect(await world.link(member, 'password', { account, password: KNOWN_PASSWORD })).toMatchObject(PROOF_REQUIRED);
    expect(await world.identities(member)).toEqual(before);
  });

  test('a password or a code of the same person is a proof', async () => {
    const person = world.newPerson();
    const member = await world.passwordMember();
    await world.age(member);
    const proof = { password: KNOWN_PASSWORD };
    expect((await world.link(member, 'wechat', { code: world.code(person), proof })).status).toBe(201);
    const byCode = { code: world.code(world.newPerson()), proof: { code: world.code(person) } };
    expect((await world.link(member, 'wechat', byCode)).status).toBe(201);
    expect(await world.link(member, 'wechat', { ...byCode, proof: { ...proof, code: 'x' } })).toMatchObject({
      status: 400,
    });
  });

  test('a proof that is sent is checked, also with a fresh session', async () => {
    const member = await world.passwordMember();
    const body = { code: world.code(world.newPerson()), proof: { password: 'not-this-password' } };
    expect(await world.link(member, 'wechat', body)).toMatchObject(PROOF_REQUIRED);
  });

  test('version 1 of the signature is refused', async () => {
    const { app, session } = await world.passwordMember();
    const body = { code: world.code(world.newPerson()) };
    const answer = await world.stack.call(app, 'POST', '/me/identities/wechat', { session, body, signature: 'v1' });
    expect(answer).toMatchObject({ status: 403, body: { code: 'SIGNATURE_TOO_WEAK' } });
  });
});

describe('an identity of another account', () => {
  test('that has nothing else: the account is absorbed, its sessions end, and the operator log says so', async () => {
    const person = world.newPerson();
    const absorbed = await world.wechatMember(person);
    await world.wechatMember(person, world.other);
    const member = await world.passwordMember();
    expect((await world.link(member, 'wechat', { code: world.code(person) })).status).toBe(201);
    expect(await world.call(absorbed, 'GET', '/me')).toMatchObject({ status: 401, body: { code: 'SESSION_REVOKED' } });
    for (const app of [world.app, world.other]) {
      expect((await world.logIn(person, app)).body.user.userId).toBe(member.userId);
    }
    const sql = "SELECT detail FROM audit_log WHERE action = 'user.absorb' AND subject = ?";
    const [rows] = await world.stack.mysql.query(sql, [member.userId]);
    expect(JSON.stringify(rows)).toContain(absorbed.userId);
  });

  const reasons: Array<[reason: string, give: (userId: string, person: string) => Promise<unknown>]> = [
    ['an order', (userId) => insertOrder(userId)],
    ['a ledger entry', (userId) => insertEntry(userId)],
    [
      'a record of its own',
      (userId) =>
        world.stack.mysql.execute(
          `INSERT INTO photos (id, user_id, picture, caption, created_at) VALUES (?, ?, 'kept/x', 'c', NOW(3))`,
          [Math.floor(Math.random() * 1e12), userId],
        ),
    ],
    [
      'a password',
      (userId) =>
        world.stack.mysql.execute('UPDATE users SET account = ? WHERE user_id = ?', [
          `w${userId}`.slice(0, 30),
          userId,
        ]),
    ],
    [
      'another WeChat person',
      async (_, person) => {
        const owner = await world.wechatMember(person);
        expect((await world.link(owner, 'wechat', { code: world.code(world.newPerson()) })).status).toBe(201);
      },
    ],
    [
      'been disabled',
      (userId) => world.stack.mysql.execute('UPDATE users SET disabled_at = NOW(3) WHERE user_id = ?', [userId]),
    ],
  ];
  for (const [reason, give] of reasons) {
    test(`that has ${reason}: it is taken, and nothing changes`, async () => {
      const person = world.newPerson();
      const owner = await world.wechatMember(person);
      await give(owner.userId, person);
      const member = await world.passwordMember();
      expect(await world.link(member, 'wechat', { code: world.code(person) })).toMatchObject(TAKEN);
      expect(platforms(await world.identities(member))).toEqual(['password']);
      const sql = 'SELECT COUNT(*) AS rows_of FROM identities WHERE user_id = ?';
      const [[row]] = (await world.stack.mysql.query(sql, [owner.userId])) as unknown as [[{ rows_of: number }]];
      expect(row.rows_of).toBeGreaterThan(0);
    });
  }

  test('is not shown, and its id is unknown', async () => {
    const owner = await world.wechatMember(world.newPerson());
    const [identity] = await world.identities(owner);
    const member = await world.passwordMember();
    expect(await world.unlink(member, String(identity?.id))).toMatchObject({ status: 404 });
    expect(await world.unlink(member, 'no-such-id')).toMatchObject({ status: 404 });
    expect(await world.identities(owner)).toEqual([identity]);
  });
});

async function insertOrder(userId: string) {
  await world.stack.mysql.execute(
    `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, amount_fen, currency, units)
     VALUES (?, ?, ?, 'coin', '', 'p', 'sandbox', 1, 'CNY', 1)`,
    [userId.slice(0, 30), world.app.appId, userId],
  );
}
async function insertEntry(userId: string) {
  await world.stack.mysql.execute(
    `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra)
     VALUES (?, ?, 'coin', 1, 5, 5, 'grant', ?, 'promotion')`,
    [world.app.appId, userId, userId],
  );
}

describe('removing an identity', () => {
  test('ends the login by it, and all other sessions of the user', async () => {
    const person = world.newPerson();
    const member = await world.passwordMember();
    await world.link(member, 'wechat', { code: world.code(person) });
    const second = await world.wechatMember(person, world.other);
    const wechat = (await world.identities(member)).find(({ platform }) => platform === 'wechat');
    expect((await world.unlink(member, String(wechat?.id))).status).toBe(204);
    expect(platforms(await world.identities(member))).toEqual(['password']);
    expect(await world.call(second, 'GET', '/me')).toMatchObject({ body: { code: 'SESSION_REVOKED' } });
    expect((await world.call(member, 'GET', '/me')).status).toBe(200);
    for (const app of [world.app, world.other]) {
      expect((await world.logIn(person, app)).body.user.userId).not.toBe(member.userId);
    }
  });

  test('is refused for the last one that can log in; a phone number is not one', async () => {
    const member = await world.wechatMember(world.newPerson());
    const phoneCode = world.stack.wechat.issuePhoneCode();
    expect((await world.link(member, 'phone', { phoneCode })).status).toBe(201);
    const [wechat, phone] = await world.identities(member);
    const last = { status: 409, body: { code: 'LAST_IDENTITY' } };
    expect(await world.unlink(member, String(wechat?.id))).toMatchObject(last);
    expect((await world.unlink(member, String(phone?.id))).status).toBe(204);
    expect(platforms(await world.identities(member))).toEqual(['wechat']);
  });

  test('also a password or a channel, and the name stays reserved', async () => {
    const member = await world.passwordMember();
    await world.link(member, 'wechat', { code: world.code(world.newPerson()) });
    const [password] = await world.identities(member);
    expect((await world.unlink(member, String(password?.id))).status).toBe(204);
    const body = { account: member.account, password: KNOWN_PASSWORD };
    expect(await world.stack.call(world.app, 'POST', '/login', { body })).toMatchObject({ status: 401 });
    expect(await world.stack.call(world.app, 'POST', '/accounts', { body })).toMatchObject({ status: 409 });

    const user = await world.channelMember('the-channel-user');
    await world.link(user, 'wechat', { code: world.code(world.newPerson()) });
    const channel = (await world.identities(user)).find(({ platform }) => platform === 'channel');
    expect((await world.unlink(user, String(channel?.id))).status).toBe(204);
    expect((await world.channelMember('the-channel-user')).userId).not.toBe(user.userId);
  });

  test('whose answer is lost: the repeated transaction succeeds', async () => {
    const member = await world.passwordMember();
    await world.link(member, 'wechat', { code: world.code(world.newPerson()) });
    const wechat = (await world.identities(member)).find(({ platform }) => platform === 'wechat');
    let lost = 0;
    world.stack.faults.mysql = ({ sql = '' }) =>
      sql === 'COMMIT' && lost++ === 0 ? { kind: 'drop-after' } : undefined;
    try {
      expect((await world.unlink(member, String(wechat?.id))).status).toBe(204);
    } finally {
      world.stack.faults.mysql = undefined;
    }
    expect(lost).toBeGreaterThan(1);
    expect(platforms(await world.identities(member))).toEqual(['password']);
  });
});

describe('an account name and a password', () => {
  const name = () => `name-${Math.random().toString(36).slice(2, 10)}`;

  test('are added to a user who came by WeChat', async () => {
    const member = await world.wechatMember(world.newPerson());
    const account = name();
    const body = { account, password: KNOWN_PASSWORD };
    expect(await world.link(member, 'password', body)).toMatchObject({ status: 201, body: { platform: 'password' } });
    const login = await world.stack.call(world.app, 'POST', '/login', { body });
    expect(login).toMatchObject({ status: 200, body: { user: { userId: member.userId, account } } });
    expect((await world.call(member, 'GET', '/me')).body.account).toBe(account);
    // The same call again, as after a lost answer.
    expect(await world.link(member, 'password', body)).toMatchObject({ status: 201, body: { platform: 'password' } });
    const other = { account, password: 'another-long-password' };
    expect(await world.link(member, 'password', other)).toMatchObject({ body: { code: 'ACCOUNT_EXISTS' } });
  });

  test('do not serve to guess the password: a wrong one is counted, a taken name is not', async () => {
    const member = await world.passwordMember();
    const guess = (account: string) => world.link(member, 'password', { account, password: 'a-long-wrong-guess' });
    const { account } = await world.passwordMember();
    for (let tries = 0; tries < 12; tries++) expect((await guess(account)).status).toBe(409);
    const answers: number[] = [];
    for (let tries = 0; tries < 12; tries++) answers.push((await guess(member.account)).status);
    expect(answers).toEqual([...Array(10).fill(409), 429, 429]);
  });

  test('are refused where the name is taken or reserved, or the user has one', async () => {
    const owner = await world.passwordMember();
    const member = await world.wechatMember(world.newPerson());
    const taken = { status: 409, body: { code: 'ACCOUNT_EXISTS' } };
    for (const account of [owner.account, owner.account.toUpperCase(), 'admin']) {
      expect(await world.link(member, 'password', { account, password: KNOWN_PASSWORD })).toMatchObject(taken);
    }
    expect(await world.link(owner, 'password', { account: name(), password: KNOWN_PASSWORD })).toMatchObject(taken);
    const account = name();
    expect(await world.link(member, 'password', { account, password: account })).toMatchObject({ status: 400 });
    expect(await world.link(member, 'password', { account, password: 'short' })).toMatchObject({ status: 400 });
    expect(platforms(await world.identities(member))).toEqual(['wechat']);
  });
});
