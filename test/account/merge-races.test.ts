import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sweepChangedRows, sweptTables } from '../../shared/upkeep/changed-rows.ts';
import { type MergePerson, type MergeWorld, startMergeWorld } from '../support/merge-world.ts';
import { beforeSecondLock, lockedLast } from '../support/second-lock.ts';

let world: MergeWorld;
let { logIn, newPerson, book, bookings, order, merge, me, rows, merges } = {} as MergeWorld;
beforeAll(async () => {
  world = await startMergeWorld();
  ({ logIn, newPerson, book, bookings, order, merge, me, rows, merges } = world);
});
afterEach(() => {
  world.stack.faults.mysql = undefined;
  world.stack.faults.redis = undefined;
});
const ROUNDS = 6;
const ordersOf = ({ userId }: MergePerson) => rows('SELECT order_no FROM recharge_orders WHERE user_id = ?', [userId]);
const outcomeOf = (work: Promise<unknown>): Promise<'merged' | 'refused'> =>
  work.then(
    () => 'merged',
    () => 'refused',
  );

describe('a merge that is disturbed', () => {
  test('is done once if the answer to COMMIT is lost, and once if it is sent again', async () => {
    const [from, into] = [await newPerson(), await newPerson()];
    const moved = await book(from);
    expect(await bookings(into)).toEqual([]);
    let lost = 0;
    world.stack.faults.mysql = ({ sql }) => (sql === 'COMMIT' && lost++ === 0 ? { kind: 'drop-after' } : undefined);
    const first = await merge(from, into);
    expect(lost).toBe(2);
    expect(first).toMatchObject({ identities: 1, records: { booking: 1 } });
    expect(await bookings(into)).toEqual([moved]);
    expect(await merge(from, into)).toEqual(first);
    expect(await merges(into)).toHaveLength(1);
  });

  test('changes nothing if the transaction fails before its end', async () => {
    const [from, into] = [await newPerson(), await newPerson()];
    const moved = await book(from);
    world.stack.faults.mysql = ({ sql = '' }) =>
      sql.startsWith('INSERT INTO audit_log') ? { kind: 'drop-before' } : undefined;
    expect(await outcomeOf(merge(from, into))).toBe('refused');
    world.stack.faults.mysql = undefined;
    expect([await me(from.session), await bookings(from), await bookings(into)]).toEqual([from.userId, [moved], []]);
  });

  test('is completed by the sweep if the process dies after COMMIT', async () => {
    const [from, into] = [await newPerson(), await newPerson()];
    const moved = await book(from);
    expect([await bookings(from), await bookings(into)]).toEqual([[moved], []]);
    let isDead = false;
    world.stack.faults.mysql = ({ sql }) => {
      if (sql === 'COMMIT') isDead = true;
      return undefined;
    };
    // Answered, so that the breaker of this process stays shut.
    const refused = { kind: 'status', status: 400, body: '{"error":"READONLY"}' } as const;
    world.stack.faults.redis = () => (isDead ? refused : undefined);
    await merge(from, into);
    world.stack.faults.redis = undefined;
    expect([await me(from.session), await bookings(into)]).toEqual(['SESSION_REVOKED', []]);
    await sweepChangedRows(sweptTables(), Date.now() + 60_000);
    expect(await bookings(into)).toEqual([moved]);
  });
});

describe('at the same time', () => {
  test('two equal merges are one, and of two opposite ones one is refused', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const [from, into] = [await newPerson(), await newPerson()];
      await book(from);
      const [one, two] = await Promise.all([merge(from, into), merge(from, into)]);
      expect(one).toEqual(two);
      expect(await merges(into)).toHaveLength(1);
      const [a, b] = [await newPerson(), await newPerson()];
      const outcomes = await Promise.all([outcomeOf(merge(a, b)), outcomeOf(merge(b, a))]);
      expect(outcomes.sort()).toEqual(['merged', 'refused']);
    }
  });

  test('a login of the user that ends is dead or one of the other user', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const [from, into] = [await newPerson(), await newPerson()];
      const [, login] = await Promise.all([merge(from, into), logIn(from.openid)]);
      expect(login.status).toBe(200);
      expect([into.userId, 'SESSION_REVOKED', 'LOGIN_EXPIRED']).toContain(await me(login.body.token));
      expect((await logIn(from.openid)).body.user.userId).toBe(into.userId);
    }
  });

  test('an order of either user is made or the merge is, and never both', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const [from, into] = [await newPerson(), await newPerson()];
      const [outcome] = await Promise.all([outcomeOf(merge(from, into)), order(from)]);
      expect(await ordersOf(from)).toHaveLength(outcome === 'merged' ? 0 : 1);
    }
  });

  test('an order that is made before the merge has locked the second user is seen', async () => {
    for (const forward of [true, false]) {
      const [from, into] = [await newPerson(), await newPerson()];
      const last = lockedLast(from, into);
      beforeSecondLock(world.stack, last.userId, () => order(last));
      expect(await outcomeOf(forward ? merge(from, into) : merge(into, from))).toBe('refused');
      expect(await ordersOf(last)).toHaveLength(1);
    }
  });
});
