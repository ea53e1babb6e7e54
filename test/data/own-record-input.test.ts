import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DataWorld, startDataWorld } from '../support/data-world.ts';
import { BOOKING, codeOf, type Person } from '../support/own-record-world.ts';
import type { TestAnswer } from '../support/stack.ts';
import { tableSums } from '../support/table-sums.ts';

/** Writes of own records with wrong input: each refusal has one code, and no table changes. */
let world: DataWorld;
let owner: Person;
let path: string;
beforeAll(async () => {
  world = await startDataWorld();
});
/** A new owner, because a user may write 120 times a minute, with a booking of version 2. */
beforeEach(async () => {
  owner = await world.newPerson();
  path = `booking/${(await world.create(owner)).body.id}`;
  await world.send('PUT', path, { day: '2030-05-02' }, { as: owner, version: 1 });
});

type Sent = NonNullable<Parameters<DataWorld['send']>[3]>;
const post = (body: unknown, sent: Sent = {}) =>
  world.send('POST', 'booking', body, { as: owner, key: randomUUID(), ...sent });
const put = (body: unknown, sent: Sent = {}) => world.send('PUT', path, body, { as: owner, version: 2, ...sent });
const remove = (sent: Sent = {}) => world.send('DELETE', path, undefined, { as: owner, ...sent });

/** The answer of a call that changes no row of any table. */
async function unchanged(work: () => Promise<TestAnswer>): Promise<TestAnswer> {
  const before = await tableSums(world.stack.mysql);
  const answer = await work();
  expect(await tableSums(world.stack.mysql)).toEqual(before);
  return answer;
}
async function expectInvalid(work: () => Promise<TestAnswer>, member: string): Promise<void> {
  const { status, body } = await unchanged(work);
  const paths = new Set(body.errors?.map((error: { path: string }) => error.path));
  expect([status, body.code, ...paths]).toEqual([400, 'INVALID_INPUT', member]);
}

const CHANGES = { day: '2030-05-03', note: 'n', status: 'requested' };
/** As a text, since JSON.stringify would not write a name twice or `__proto__`. */
const withMember = (members: object, text: string): string => `${JSON.stringify(members).slice(0, -1)},${text}}`;

describe('members', () => {
  test.each([
    ['id', '"id":"7"'],
    ['version', '"version":9'],
    ['createdAt', '"createdAt":"2020-01-01T00:00:00.000Z"'],
    ['deletedAt', '"deletedAt":null'],
    ['made_by', '"made_by":""'],
    ['user_id', '"user_id":"u"'],
    ['price', '"price":1'],
    ['', '"":1'],
    ['__proto__', '"__proto__":{"status":"done"}'],
    ['constructor', '"constructor":{}'],
    ['prototype', '"prototype":{}'],
    ['toString', '"toString":1'],
  ])('with the unknown name %j are refused', async (name, text) => {
    await expectInvalid(() => post(withMember(BOOKING, text)), name);
    await expectInvalid(() => put(withMember(CHANGES, text)), name);
  });

  test('that name another user are refused: the app may not write for others', async () => {
    const other = await world.newPerson();
    for (const { userId } of [other, owner]) {
      expect(codeOf(await unchanged(() => post({ ...BOOKING, userId })))).toEqual([403, 'SCOPE_DENIED']);
      await expectInvalid(() => put({ ...CHANGES, userId }), 'userId');
      for (const call of [() => put(CHANGES, { query: `user=${userId}` }), () => remove({ query: `user=${userId}` })]) {
        expect(codeOf(await unchanged(call))).toEqual([403, 'SCOPE_DENIED']);
      }
    }
    for (const userId of ['', 'a b', 'x'.repeat(33), 7, null, ['u'], {}]) {
      await expectInvalid(() => post({ ...BOOKING, userId }), 'userId');
    }
    for (const query of ['user=', 'user=a%20b', 'user=u&user=u'])
      await expectInvalid(() => remove({ query }), 'query.user');
    await expectInvalid(() => remove({ query: 'force=1' }), 'query.force');
  });

  test.each<[string, unknown[]]>([
    [
      'serviceId',
      [1, null, '', '0', '-1', '1.5', '01', ' 1', '1e3', '12345678901234567', '9999999999999999', ['1'], {}],
    ],
    ['day', [20300501, null, '', 'tomorrow', '2030-5-1', '2030-02-30', '2030-13-01', '2030-05-01T00:00:00Z', '０', []]],
    ['note', [1, null, true, [], {}, 'x'.repeat(501), 'a\u0000b', '\u0000', 'a\u001b[2J', 'a\rb', '\u0085']],
    ['status', [1, null, '', 'confirmed', 'done', 'REQUESTED', 'requested ', 'toString', ['requested']]],
  ])('with a wrong %s are refused', async (name, values) => {
    for (const value of values) {
      await expectInvalid(() => post({ ...BOOKING, [name]: value }), name);
      if (name !== 'serviceId') await expectInvalid(() => put({ ...CHANGES, [name]: value }), name);
    }
  });

  test('with half of a surrogate pair are refused, in values and in names', async () => {
    for (const half of ['\\ud800', 'a\\udfff', '\\udc00\\ud800']) {
      const { note: _, ...rest } = BOOKING;
      await expectInvalid(() => post(withMember(rest, `"note":"${half}"`)), 'note');
      await expectInvalid(() => put(`{"day":"2030-05-03","note":"${half}"}`), 'note');
      await expectInvalid(() => put(withMember(CHANGES, `"${half}":1`)), '');
    }
    const note = `${'😀'.repeat(250)}`;
    expect((await post({ ...BOOKING, note })).body.note).toBe(note);
  });

  test('that are fixed, or none at all, are no change', async () => {
    await expectInvalid(() => put({ ...CHANGES, serviceId: '1' }), 'serviceId');
    await expectInvalid(() => put({}), 'day');
    expect(codeOf(await unchanged(() => put(undefined)))).toEqual([400, 'INVALID_INPUT']);
    await expectInvalid(() => world.send('DELETE', path, { day: '2030-05-03' }, { as: owner }), 'day');
  });
});

describe('a body', () => {
  test.each(['{', 'null', '[]', '"text"', '7', '{"day":}', "{'day':1}", '{}{}', '\u0000', '[{"day":"2030-05-03"}]'])(
    'that is no JSON object is refused: %j',
    async (text) => {
      await expectInvalid(() => post(text), '');
      await expectInvalid(() => put(text), '');
    },
  );

  test('of 64 KiB is read, and one byte more is too large', async () => {
    const padded = (members: object, bytes: number) => JSON.stringify(members).padEnd(bytes, ' ');
    const note = 'x'.repeat(65_000);
    await expectInvalid(() => post(padded({ ...BOOKING, note }, 65_536)), 'note');
    await expectInvalid(() => put(padded({ ...CHANGES, note }, 65_536)), 'note');
    for (const call of [() => post(padded(BOOKING, 65_537)), () => put(padded(CHANGES, 65_537))]) {
      expect(codeOf(await unchanged(call))).toEqual([413, 'TOO_LARGE']);
    }
    expect((await post(padded(BOOKING, 65_536))).status).toBe(201);
    expect((await put(padded(CHANGES, 65_536))).status).toBe(200);
  });
});

describe('a version', () => {
  const MALFORMED = [
    '*',
    '2',
    'W/"2"',
    "'2'",
    '""',
    '"0"',
    '"02"',
    '"-2"',
    '"+2"',
    '"2.0"',
    '"2e0"',
    '" 2"',
    '"2" ',
  ].concat(['"2", "3"', '"2""2"', '"', '"２"', '"null"', `"${'9'.repeat(16)}"`, `"${'9'.repeat(2_000)}"`, '2"', '"2']);
  // HTTP removes spaces at the ends of a header's value.
  const sendable = MALFORMED.filter((version) => version.trim() === version).map((version) =>
    Buffer.from(version).toString('latin1'),
  );

  test.each(sendable)('in the form %j is refused', async (version) => {
    await expectInvalid(() => put(CHANGES, { version }), 'headers.if-match');
    await expectInvalid(() => remove({ version }), 'headers.if-match');
  });

  test('of the past or the future is refused as another one', async () => {
    for (const version of [1, 3, 999_999_999_999_999]) {
      const change = () => put({ ...CHANGES, note: `of ${version}` }, { version });
      for (const call of [change, () => remove({ version })]) {
        expect(codeOf(await unchanged(call))).toEqual([412, 'VERSION_MISMATCH']);
      }
    }
    const without = () => world.send('PUT', path, CHANGES, { as: owner });
    expect(codeOf(await unchanged(without))).toEqual([428, 'MISSING_VERSION']);
  });
});

test('the same key with another body is refused', async () => {
  const key = randomUUID();
  expect((await post(BOOKING, { key })).status).toBe(201);
  for (const members of [
    { ...BOOKING, note: 'other' },
    { ...BOOKING, serviceId: '2' },
    { ...BOOKING, status: 'cancelled' },
  ]) {
    expect(codeOf(await unchanged(() => post(members, { key })))).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  }
  expect((await unchanged(() => post(BOOKING, { key }))).status).toBe(201);
  for (const wrong of ['', 'short', 'x'.repeat(65), 'with a space in it', '../../../../../..']) {
    expect(codeOf(await unchanged(() => post(BOOKING, { key: wrong })))).toEqual([400, 'MISSING_IDEMPOTENCY_KEY']);
  }
});
