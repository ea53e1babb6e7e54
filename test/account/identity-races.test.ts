import { beforeAll, describe, expect, test } from 'vitest';
import { type IdentityWorld, type Member, startIdentityWorld } from '../support/identity-world.ts';
import { Interleaving } from '../support/interleaving.ts';
import { beforeSecondLock, lockedLast } from '../support/second-lock.ts';
import type { TestAnswer } from '../support/stack.ts';

/**
 * Calls that want the same subject at the same time. However their requests follow each other, one user has the subject
 * in the end, and every session that works belongs to a user who exists.
 */
let world: IdentityWorld;
beforeAll(async () => {
  world = await startIdentityWorld();
});

const SEEDS = 8;
/** More orders are tried until each call has been the first one. */
const MOST_SEEDS = 40;

/**
 * Runs the calls with their requests one by one, in an order that the seed decides. A transaction is one step: inside it
 * a request may wait for a lock that another call holds.
 */
async function interleave(seed: number, calls: ReadonlyArray<() => Promise<TestAnswer>>): Promise<TestAnswer[]> {
  const answers: TestAnswer[] = [];
  const order = new Interleaving(seed, () => {});
  const { faults } = world.stack;
  let open = 0;
  faults.redis = () => order.hold();
  faults.mysql = ({ sql = '' }) => {
    if (sql === 'COMMIT' || sql === 'ROLLBACK') open--;
    const isInside = open > 0;
    if (sql === 'BEGIN') open++;
    return isInside || sql === 'COMMIT' || sql === 'ROLLBACK' ? undefined : order.hold();
  };
  try {
    await order.run(
      calls.map((call, index) => async () => {
        answers[index] = await call();
      }),
    );
  } finally {
    faults.redis = undefined;
    faults.mysql = undefined;
  }
  return answers;
}

/** The users who have an identity of this person, by the logins at both mini-programs. */
async function usersOf(person: string): Promise<string[]> {
  const answers = [await world.logIn(person), await world.logIn(person, world.other)];
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  return [...new Set(answers.map(({ body }) => String(body.user.userId)))];
}

/** Every living user has a way to log in, so nothing was lost half-way. */
async function expectNoOrphans(): Promise<void> {
  const [rows] = await world.stack.mysql.query(
    `SELECT u.user_id FROM users u WHERE u.erased_at IS NULL AND u.account IS NULL
       AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.user_id AND i.platform IN ('wechat', 'channel'))`,
  );
  expect(rows).toEqual([]);
}

async function isAlive(answer: TestAnswer): Promise<boolean> {
  const member: Member = { userId: '', session: answer.body.token, app: world.app, account: '' };
  return (await world.call(member, 'GET', '/me')).status === 200;
}

describe('one user for each subject, in any order', () => {
  test('two users link the same WeChat person', async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < SEEDS || (outcomes.size < 2 && seed < MOST_SEEDS); seed++) {
      const person = world.newPerson();
      const members = [await world.passwordMember(), await world.passwordMember()];
      const codes = members.map(() => world.code(person));
      const answers = await interleave(
        seed,
        members.map((member, index) => () => world.link(member, 'wechat', { code: codes[index] })),
      );
      expect(answers.map(({ status }) => status).sort(), `seed ${seed}`).toEqual([201, 409]);
      const winner = members[answers.findIndex(({ status }) => status === 201)];
      expect(await usersOf(person), `seed ${seed}`).toEqual([winner?.userId]);
      outcomes.add(String(answers[0]?.status));
    }
    expect(outcomes.size).toBe(2);
  }, 120_000);

  test('a link against the first login of the same person', async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < SEEDS || (outcomes.size < 2 && seed < MOST_SEEDS); seed++) {
      const person = world.newPerson();
      const member = await world.passwordMember();
      const codes = [world.code(person), world.code(person)];
      const login = () => world.stack.call(world.app, 'POST', '/login/wechat', { body: { code: codes[1] } });
      const [linked, logged] = (await interleave(seed, [
        () => world.link(member, 'wechat', { code: codes[0] }),
        login,
      ])) as [TestAnswer, TestAnswer];
      // The login may have created a user whom the link absorbed: then its session is at its end.
      expect(linked.status, `seed ${seed}`).toBe(201);
      expect(logged.status, `seed ${seed}`).toBe(200);
      expect(await usersOf(person), `seed ${seed}`).toEqual([member.userId]);
      const isMember = logged.body.user.userId === member.userId;
      expect(await isAlive(logged), `seed ${seed}`).toBe(isMember);
      outcomes.add(String(isMember));
    }
    await expectNoOrphans();
    expect(outcomes.size).toBe(2);
  }, 120_000);

  test('first logins at two mini-programs', async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const person = world.newPerson();
      const apps = [world.app, world.other, world.app];
      const codes = apps.map((app) => world.code(person, app));
      const answers = await interleave(
        seed,
        apps.map(
          (app, index) => () => world.stack.call(app, 'POST', '/login/wechat', { body: { code: codes[index] } }),
        ),
      );
      expect(
        answers.map(({ status }) => status),
        `seed ${seed}`,
      ).toEqual([200, 200, 200]);
      expect(new Set(answers.map(({ body }) => body.user.userId)).size, `seed ${seed}`).toBe(1);
      expect(await usersOf(person)).toEqual([answers[0]?.body.user.userId]);
    }
    await expectNoOrphans();
  }, 120_000);

  test('two users link the same phone number', async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const number = `139${String(10_000_000 + seed)}`;
      const members = [await world.passwordMember(), await world.passwordMember()];
      const codes = members.map(() => world.stack.wechat.issuePhoneCode({ number }));
      const answers = await interleave(
        seed,
        members.map((member, index) => () => world.link(member, 'phone', { phoneCode: codes[index] })),
      );
      expect(answers.map(({ status }) => status).sort(), `seed ${seed}`).toEqual([201, 409]);
      const phones = await Promise.all(
        members.map(async (member) => (await world.call(member, 'GET', '/me')).body.phone),
      );
      expect(phones.filter(Boolean), `seed ${seed}`).toHaveLength(1);
    }
  }, 120_000);

  test('the removal of two identities leaves one', async () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const member = await world.passwordMember();
      await world.link(member, 'wechat', { code: world.code(world.newPerson()) });
      const identities = await world.identities(member);
      const answers = await interleave(
        seed,
        identities.map(
          ({ id }) =>
            () =>
              world.unlink(member, id),
        ),
      );
      expect(answers.map(({ status }) => status).sort(), `seed ${seed}`).toEqual([204, 409]);
      expect(await world.identities(member)).toHaveLength(1);
    }
  }, 120_000);
});

test('a record that its owner makes while the owner is being absorbed is seen, and the link is refused', async () => {
  let refused = 0;
  for (let round = 0; refused < 2 && round < 20; round++) {
    const person = world.newPerson();
    const [member, owner] = [await world.passwordMember(), await world.wechatMember(person)];
    // Only then the owner is still free while the transaction has begun.
    if (lockedLast(member, owner) !== owner) continue;
    beforeSecondLock(world.stack, owner.userId, () =>
      world.stack.mysql.query(
        `INSERT INTO photos (id, user_id, picture, caption, created_at) VALUES (?, ?, 'p', 'c', NOW(3))`,
        [1_000 + round, owner.userId],
      ),
    );
    const answer = await world.link(member, 'wechat', { code: world.code(person) });
    expect([answer.status, answer.body.code]).toEqual([409, 'IDENTITY_TAKEN']);
    refused++;
  }
  expect(refused).toBe(2);
});

describe('without an order, against real locks', () => {
  test('20 links and first logins of one person at both mini-programs', async () => {
    for (let round = 0; round < 5; round++) {
      const person = world.newPerson();
      const members = await Promise.all(Array.from({ length: 4 }, () => world.passwordMember()));
      const answers = await Promise.all([
        ...members.map((member) => world.link(member, 'wechat', { code: world.code(person) })),
        ...Array.from({ length: 16 }, (_, index) => world.logIn(person, index % 2 ? world.app : world.other)),
      ]);
      expect(answers.filter(({ status }) => status >= 500).map(({ body }) => body.code)).toEqual([]);
      expect(await usersOf(person)).toHaveLength(1);
    }
    await expectNoOrphans();
  }, 120_000);
});
