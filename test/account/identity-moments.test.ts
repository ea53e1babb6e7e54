import { beforeAll, describe, expect, test } from 'vitest';
import { type IdentityWorld, type Member, startIdentityWorld } from '../support/identity-world.ts';

/** Something else is committed at one exact moment inside a change of identities. */
let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld({ seeded: true });
});

/** Runs `then` once, before the statement that `matches` reaches MySQL. */
async function at<T>(matches: (sql: string) => boolean, then: () => Promise<unknown>, work: () => Promise<T>) {
  let isDone = false;
  world.stack.faults.mysql = ({ sql = '' }) => {
    if (isDone || !matches(sql)) return undefined;
    isDone = true;
    const before = async () => {
      await then();
      return undefined;
    };
    return { kind: 'hold', before, after: async () => {} };
  };
  try {
    const result = await work();
    expect(isDone, 'the moment came').toBe(true);
    return result;
  } finally {
    world.stack.faults.mysql = undefined;
  }
}

const locks = (userId: string) => (sql: string) => sql.includes('FOR UPDATE') && sql.includes(`'${userId}'`);
const sql = async (statement: string, values: unknown[]) =>
  (await world.stack.mysql.query(statement, values))[0] as Array<Record<string, unknown>>;

/** A caller whose row is locked first, and an owner of a WeChat person whose row is locked second. */
async function callerBeforeOwner(): Promise<{ caller: Member; owner: Member; person: string }> {
  for (;;) {
    const person = world.newPerson();
    const owner = await world.wechatMember(person);
    const caller = await world.passwordMember();
    if (caller.userId < owner.userId) return { caller, owner, person };
  }
}

describe('absorbing decides under the locks', () => {
  test('an order that is committed before the owner is locked is not lost', async () => {
    const { caller, owner, person } = await callerBeforeOwner();
    const insertOrder = () =>
      world.stack.mysql.execute(
        `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, amount_fen, currency, units)
         VALUES (?, ?, ?, 'coin', '', 'p', 'sandbox', 1, 'CNY', 1)`,
        [owner.userId, world.app.appId, owner.userId],
      );
    const answer = await at(locks(owner.userId), insertOrder, () =>
      world.link(caller, 'wechat', { code: world.code(person) }),
    );
    const [user] = await sql('SELECT erased_at FROM users WHERE user_id = ?', [owner.userId]);
    expect({ status: answer.status, erased: user?.erased_at }).toEqual({ status: 409, erased: null });
  });

  test('a real order of the owner at the same moment is not lost', async () => {
    const { caller, owner, person } = await callerBeforeOwner();
    let order: { status: number } | undefined;
    const answer = await at(
      locks(owner.userId),
      async () => {
        order = await world.stack.call(world.app, 'POST', '/recharge', {
          session: owner.session,
          headers: { 'idempotency-key': 'hostile-hostile-01' },
          body: { productId: 'coins-60', provider: 'sandbox' },
        });
      },
      () => world.link(caller, 'wechat', { code: world.code(person) }),
    );
    expect(order?.status).toBe(201);
    const [user] = await sql('SELECT erased_at FROM users WHERE user_id = ?', [owner.userId]);
    expect({ status: answer.status, erased: user?.erased_at }).toEqual({ status: 409, erased: null });
  });

  test('another person whom the owner links at the same moment does not come to the caller', async () => {
    const { caller, owner, person } = await callerBeforeOwner();
    const friend = world.newPerson();
    let linked: { status: number } | undefined;
    const answer = await at(
      locks(owner.userId),
      async () => {
        linked = await world.link(owner, 'wechat', { code: world.code(friend) });
      },
      () => world.link(caller, 'wechat', { code: world.code(person) }),
    );
    expect(linked?.status).toBe(201);
    expect((await world.logIn(friend)).body.user.userId).toBe(owner.userId);
    expect(answer.status).toBe(409);
  });
});

describe('a session that ended while its call was on its way', () => {
  /** What PUT /me/password of another device does: all sessions but that one end. */
  const endAll = (userId: string) => () =>
    world.stack.mysql.execute('UPDATE users SET version = version + 1 WHERE user_id = ?', [userId]);

  test('does not live again by removing an identity', async () => {
    const member = await world.passwordMember();
    await world.link(member, 'wechat', { code: world.code(world.newPerson()) });
    const wechat = (await world.identities(member)).find(({ platform }) => platform === 'wechat');
    await at(
      (text) => text === 'BEGIN',
      endAll(member.userId),
      () => world.unlink(member, String(wechat?.id)),
    );
    await world.stack.flush();
    expect(await world.call(member, 'GET', '/me')).toMatchObject({ status: 401 });
  });

  test('links nothing', async () => {
    const member = await world.passwordMember();
    const person = world.newPerson();
    await at(
      (text) => text === 'BEGIN',
      endAll(member.userId),
      () => world.link(member, 'wechat', { code: world.code(person) }),
    );
    expect((await world.logIn(person)).body.user.userId).not.toBe(member.userId);
  });

  test('of a user whom an operator disabled meanwhile: nothing is linked', async () => {
    const member = await world.passwordMember();
    const person = world.newPerson();
    const disable = () =>
      world.stack.mysql.execute('UPDATE users SET disabled_at = NOW(3), version = version + 1 WHERE user_id = ?', [
        member.userId,
      ]);
    const answer = await at(
      (text) => text === 'BEGIN',
      disable,
      () => world.link(member, 'wechat', { code: world.code(person) }),
    );
    expect(answer.status).toBe(401);
  });

  test('sets no password', async () => {
    const member = await world.wechatMember(world.newPerson());
    const account = `late-${Date.now()}`;
    const answer = await at(
      (text) => text.startsWith('UPDATE users u JOIN sessions'),
      endAll(member.userId),
      () => world.link(member, 'password', { account, password: 'quite-long-and-new-1' }),
    );
    expect(answer.status).toBe(401);
  });
});

describe('a login on its way while its identity is removed', () => {
  test('does not give the person back to the user', async () => {
    const person = world.newPerson();
    const member = await world.passwordMember();
    await world.link(member, 'wechat', { code: world.code(person) });
    const wechat = (await world.identities(member)).find(({ platform }) => platform === 'wechat');
    let removed: { status: number } | undefined;
    await at(
      (text) => text === 'BEGIN',
      async () => {
        removed = await world.unlink(member, String(wechat?.id));
      },
      // First login of the person at the second mini-program: known by the unionid.
      () => world.logIn(person, world.other),
    );
    expect(removed?.status).toBe(204);
    expect((await world.identities(member)).map(({ platform }) => platform)).toEqual(['password']);
    expect((await world.logIn(person, world.other)).body.user.userId).not.toBe(member.userId);
  });
  test('does not give its phone number to the user', async () => {
    const person = world.newPerson();
    const member = await world.passwordMember();
    await world.link(member, 'wechat', { code: world.code(person) });
    const wechat = (await world.identities(member)).find(({ platform }) => platform === 'wechat');
    const body = { code: world.code(person), phoneCode: world.stack.wechat.issuePhoneCode({ number: '13712341234' }) };
    await at(
      (text) => text === 'BEGIN',
      () => world.unlink(member, String(wechat?.id)),
      () => world.stack.call(world.app, 'POST', '/login/wechat', { body }),
    );
    expect((await world.identities(member)).map(({ platform }) => platform)).toEqual(['password']);
  });
});

describe('other users', () => {
  test('can change their extra fields while an account is absorbed', async () => {
    const person = world.newPerson();
    await world.wechatMember(person);
    const [caller, third] = [await world.passwordMember(), await world.passwordMember()];
    await sql("INSERT INTO user_fields (app_id, user_id, fields) VALUES (?, ?, '{}')", [world.app.appId, third.userId]);
    await sql('SET SESSION innodb_lock_wait_timeout = 1', []);
    let change: unknown;
    await at(
      (text) => text === 'COMMIT',
      async () => {
        change = await sql('UPDATE user_fields SET fields = ? WHERE app_id = ? AND user_id = ?', [
          '{"a":1}',
          world.app.appId,
          third.userId,
        ]).catch((error: Error) => error.message);
      },
      () => world.link(caller, 'wechat', { code: world.code(person) }),
    );
    expect(typeof change === 'string' ? change : 'done').toBe('done');
  });
});

describe('an order of an account that was absorbed a moment ago', () => {
  test('is refused as ended, not as "no such product"', async () => {
    const person = world.newPerson();
    const owner = await world.wechatMember(person);
    const caller = await world.passwordMember();
    const answer = await at(
      (text) => text.startsWith('INSERT INTO recharge_orders'),
      () => world.link(caller, 'wechat', { code: world.code(person) }),
      () =>
        world.stack.call(world.app, 'POST', '/recharge', {
          session: owner.session,
          headers: { 'idempotency-key': 'hostile-hostile-02' },
          body: { productId: 'coins-60', provider: 'sandbox' },
        }),
    );
    expect(answer).toMatchObject({ status: 401, body: { code: 'SESSION_REVOKED' } });
  });
});
