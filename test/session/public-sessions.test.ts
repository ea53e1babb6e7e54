import { beforeAll, describe, expect, test } from 'vitest';
import { setUserDisabled } from '../../shared/account/change.ts';
import { openedSession, publicHeaders, type SignedSession } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let world: PublicWorld;
let otherApp: string;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  world = await publicWorld(stack);
  otherApp = (await publicWorld(stack)).appId;
});
const idOf = async ({ session }: SignedSession): Promise<string> => {
  const [rows] = await stack.mysql.query('SELECT session_id FROM sessions WHERE user_id = ? AND app_id = ?', [
    session.split('.')[0],
    world.appId,
  ]);
  return (rows as Array<{ session_id: string }>).map((row) => row.session_id).join();
};

describe('a login of a public app', () => {
  test('answers a session, its key and the time of the server; the key signs later calls', async () => {
    const { body, status } = await world.login(world.newPerson());
    expect([status, Object.keys(body).sort()]).toEqual([
      200,
      ['deviceMark', 'expiresAt', 'key', 'serverTime', 'session', 'user'],
    ]);
    expect(body.session).toMatch(/^[\w-]{22}\.[\w-]{22}$/);
    expect(body.session).toContain(body.user.userId);
    expect(body.key).toMatch(/^[\w-]{43}$/);
    expect(Math.abs(Date.parse(body.serverTime) - Date.now())).toBeLessThan(30_000);
    const me = await world.call(body, 'GET', '/me');
    expect([me.status, me.body.userId]).toEqual([200, body.user.userId]);
    const { sessions } = (await world.call(body, 'GET', '/sessions')).body;
    expect(sessions).toMatchObject([{ id: await idOf(body), current: true }]);
  });

  test('by password and by registration, where they are open', async () => {
    const credentials = { account: 'public-user', password: 'nine-owls-in-the-barn' };
    const registered = await world.call(undefined, 'POST', '/accounts', { body: credentials });
    expect(registered.status).toBe(201);
    const { body } = await world.call(undefined, 'POST', '/login', { body: credentials });
    expect(body.user).toMatchObject({ userId: registered.body.userId, account: 'public-user' });
    expect(await world.stateOf(body)).toBe('alive');
  });

  test('of the same code twice is refused, as with a key', async () => {
    const body = { code: stack.wechat.issueCode(world.newPerson()) };
    expect((await world.call(undefined, 'POST', '/login/wechat', { body })).status).toBe(200);
    const again = await world.call(undefined, 'POST', '/login/wechat', { body });
    expect([again.status, again.body.code]).toEqual([401, 'BAD_CREDENTIALS']);
  });

  test('gives a new session each time: nobody can choose the session of another', async () => {
    const person = world.newPerson();
    const [one, two] = [await world.logIn(person), await world.logIn(person)];
    expect(one.session.split('.')[0]).toBe(two.session.split('.')[0]);
    expect(one.session).not.toBe(two.session);
    expect(one.key).not.toBe(two.key);
    expect([await world.stateOf(one), await world.stateOf(two)]).toEqual(['alive', 'alive']);
  });

  test('the session is good at its own app alone', async () => {
    const mine = await world.logIn();
    const path = '/me';
    const headers = publicHeaders(otherApp, mine, { method: 'GET', path });
    expect((await stack.send('GET', path, headers)).text).toBe('{"message":"Forbidden"}');
  });
});

describe('a login that a session signed', () => {
  test('takes the place of that session, which is refused from the next call on', async () => {
    const person = world.newPerson();
    const former = await world.logIn(person);
    expect(await world.stateOf(former)).toBe('alive');
    const next = await world.logIn(person, former);
    expect([await world.stateOf(former), await world.stateOf(next)]).toEqual(['SESSION_REVOKED', 'alive']);
    expect((await world.call(next, 'GET', '/sessions')).body.sessions).toHaveLength(1);
    const [rows] = await stack.mysql.query(
      'SELECT ended_by, ends_at <= NOW(3) AS is_over FROM sessions WHERE user_id = ? AND ended_at IS NOT NULL',
      [next.session.split('.')[0]],
    );
    expect(rows).toEqual([{ ended_by: 'replaced', is_over: 1 }]);
  });

  test('a stolen key is useless after it, and a thief cannot make one without the proof of the user', async () => {
    const person = world.newPerson();
    const owner = await world.logIn(person);
    const thief = { ...owner };
    expect(await world.stateOf(thief)).toBe('alive');
    // The thief has the key but no code of this person: a login with an own account gives the thief an own session.
    const own = await world.logIn(world.newPerson(), thief);
    expect(own.session.split('.')[0]).not.toBe(owner.session.split('.')[0]);
    expect(await world.stateOf(owner), 'ended, as a logout would have ended it').toBe('SESSION_REVOKED');
    const again = await world.logIn(person);
    expect([await world.stateOf(again), await world.stateOf(thief)]).toEqual(['alive', 'SESSION_REVOKED']);
  });

  test('does not use up a device: the others of ten stay', async () => {
    const person = world.newPerson();
    const devices: SignedSession[] = [];
    for (let i = 0; i < 10; i++) devices.push(await world.logIn(person));
    for (const device of devices) expect(await world.stateOf(device)).toBe('alive');
    const renewed = await world.logIn(person, devices[3]);
    const codes = await Promise.all([...devices, renewed].map(world.stateOf));
    expect(codes.filter((code) => code === 'alive')).toHaveLength(10);
    expect(codes[3]).toBe('SESSION_REVOKED');
    const eleventh = await world.logIn(person);
    expect(await world.stateOf(eleventh)).toBe('alive');
    expect(await world.stateOf(devices[0] as SignedSession)).toBe('SESSION_REVOKED');
  });

  test('two at once give two new sessions, and the former is dead', async () => {
    const person = world.newPerson();
    const former = await world.logIn(person);
    const answers = await Promise.all([world.login(person, former), world.login(person, former)]);
    const opened = answers.filter(({ status }) => status === 200).map(({ body }) => body as SignedSession);
    expect(opened.length).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status !== 200).every(({ body }) => body.code === 'SESSION_REVOKED')).toBe(
      true,
    );
    expect(await world.stateOf(former)).toBe('SESSION_REVOKED');
    for (const one of opened) expect(await world.stateOf(one)).toBe('alive');
  });

  test('a dead session signs no login, although the code is good', async () => {
    const person = world.newPerson();
    const session = await world.logIn(person);
    expect((await world.call(session, 'POST', '/logout', { body: {} })).status).toBe(204);
    const refused = await world.login(person, session);
    expect([refused.status, refused.body.code]).toEqual([401, 'SESSION_REVOKED']);
  });
});

describe('a signed session ends', () => {
  const ends: Array<[string, (session: SignedSession, person: string) => Promise<unknown>, string]> = [
    ['with a logout', (session) => world.call(session, 'POST', '/logout', { body: {} }), 'SESSION_REVOKED'],
    [
      'with its revocation by another device',
      async (session, person) => {
        const other = await world.logIn(person);
        const { sessions } = (await world.call(session, 'GET', '/sessions')).body;
        const own = sessions.find(({ current }: { current: boolean }) => current).id;
        expect((await world.call(other, 'DELETE', `/sessions/${own}`)).status).toBe(204);
      },
      'SESSION_REVOKED',
    ],
    [
      'when the operator disables the user',
      (session) => setUserDisabled(session.session.split('.')[0] ?? '', true),
      'SESSION_REVOKED',
    ],
    [
      'when the user is erased',
      async (session, person) => {
        const body = { code: stack.wechat.issueCode(person) };
        expect((await world.call(session, 'DELETE', '/me', { body })).status).toBe(204);
      },
      'SESSION_REVOKED',
    ],
    [
      'at its absolute end',
      async ({ session }) => {
        const userId = session.split('.')[0];
        await stack.mysql.query('UPDATE sessions SET ends_at = NOW(3) - INTERVAL 1 SECOND WHERE user_id = ?', [userId]);
        await stack.flush();
      },
      'LOGIN_EXPIRED',
    ],
  ];
  test.each(ends)('%s', async (_, end, code) => {
    const person = world.newPerson();
    const session = await world.logIn(person);
    expect(await world.stateOf(session)).toBe('alive');
    await end(session, person);
    expect(await world.stateOf(session)).toBe(code);
  });

  test('with a new password, except on the device that changed it', async () => {
    const credentials = { account: 'changing-user', password: 'nine-owls-in-the-barn' };
    await world.call(undefined, 'POST', '/accounts', { body: credentials });
    const session = async (): Promise<SignedSession> =>
      (await world.call(undefined, 'POST', '/login', { body: credentials })).body;
    const [here, there] = [await session(), await session()];
    const change = { oldPassword: credentials.password, newPassword: 'ten-herons-in-the-reeds' };
    expect((await world.call(here, 'PUT', '/me/password', { body: change })).status).toBe(204);
    expect([await world.stateOf(here), await world.stateOf(there)]).toEqual(['alive', 'SESSION_REVOKED']);
    // The SDK then logs in under it, so that a copied key ends too.
    const body = { account: credentials.account, password: change.newPassword };
    const next = (await world.call(here, 'POST', '/login', { body })).body;
    expect([await world.stateOf(here), await world.stateOf(next)]).toEqual(['SESSION_REVOKED', 'alive']);
  });
});

describe('a flush of Redis', () => {
  test('logs nobody out', async () => {
    const session = await world.logIn();
    expect(await world.stateOf(session)).toBe('alive');
    await stack.flush();
    expect(await world.stateOf(session)).toBe('alive');
  });
});

test('a session that was idle too long is expired', async () => {
  const opened = await openedSession(stack, world.appId);
  await stack.mysql.query('UPDATE sessions SET idle_until = NOW(3) - INTERVAL 1 SECOND WHERE user_id = ?', [
    opened.userId,
  ]);
  expect(await world.stateOf(opened)).toBe('LOGIN_EXPIRED');
});
