import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { setUserFields } from '../../shared/app/admin.ts';
import { openBearerSession } from '../support/bearer-session.ts';
import { insertAccount, makeHashQuick, KNOWN_PASSWORD as PASSWORD } from '../support/known-accounts.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

const NEXT = 'ten-herons-in-the-reeds';

describe('an account', () => {
  let stack: TestStack;
  let app: TestApp;
  const printed: string[] = [];
  beforeAll(async () => {
    vi.spyOn(console, 'log').mockImplementation((line) => void printed.push(String(line)));
    stack = await startTestStack({ env: { LOG: 'on' } });
    app = await stack.createApp();
  });
  afterEach(() => {
    stack.faults.mysql = undefined;
    stack.faults.redis = undefined;
  });

  const newName = (): string => `u-${randomBytes(6).toString('hex')}`;
  const call = (method: string, path: string, session?: string, body?: unknown, at = app) =>
    stack.call(at, method, path, { ...(session && { session }), ...(body !== undefined && { body }) });
  const logIn = (account: string, password = PASSWORD, at = app) =>
    call('POST', '/login', undefined, { account, password }, at);
  async function newUser(profile = {}) {
    const user = await insertAccount(stack.mysql, { profile });
    return { ...user, session: await newSession(user.userId) };
  }
  /** Opens a session as a login by password does, without the cost of the hash. */
  const newSession = async (userId: string, at = app): Promise<string> =>
    (await openBearerSession(at.appId, userId)).token;
  const codeOf = async (session: string, at = app): Promise<string> =>
    (await call('GET', '/me', session, undefined, at)).body.code ?? 'alive';

  test('is created once when the answer of MySQL was lost', async () => {
    const account = newName();
    let lost = 0;
    stack.faults.mysql = ({ sql = '' }) =>
      sql.startsWith('INSERT INTO users') && lost++ === 0 ? { kind: 'drop-after' } : undefined;
    const answer = await call('POST', '/accounts', undefined, { account, password: PASSWORD });
    expect(answer).toMatchObject({ status: 201 });
    expect((await logIn(account)).body.user.userId).toBe(answer.body.userId);
    expect(await call('POST', '/accounts', undefined, { account, password: NEXT })).toMatchObject({ status: 409 });
  });

  test('a changed profile reaches all devices of the user with their next request', async () => {
    const { account, userId, session } = await newUser({ nickname: 'before' });
    const tablet = await newSession(userId);
    await call('GET', '/me', tablet);
    const profile = { nickname: '小林', tags: ['a', { deep: true }], n: 1.5 };
    const changed = await call('PUT', '/me', session, { profile });
    expect(changed).toMatchObject({ status: 200, body: { account, profile } });
    for (const token of [session, tablet]) expect((await call('GET', '/me', token)).body.profile).toEqual(profile);
  });

  test('a profile has to be an object of at most 8 KiB, without reserved names and without __proto__', async () => {
    const { session } = await newUser({ nickname: 'kept' });
    const deep = `{"profile":${'{"a":'.repeat(12)}1${'}'.repeat(12)}}`;
    const bodies = [
      '{"profile":{"__proto__":{"roles":["admin"]}}}',
      '{"profile":{"a":{"__proto__":{"x":1}}}}',
      '{"profile":{"constructor":{"prototype":{}}}}',
      '{"__proto__":{"profile":{}}}',
      { profile: { roles: ['admin'] } },
      { profile: { userId: 'somebody-else' } },
      { profile: { text: 'x'.repeat(8_192) } },
      { profile: [] },
      { profile: 'text' },
      { profile: null },
      { profile: { n: 2 ** 53 } },
      { profile: {}, roles: ['admin'] },
      {},
      deep,
      `{"profile":${'['.repeat(20_000)}`,
    ];
    for (const body of bodies) {
      const answer = await call('PUT', '/me', session, body);
      expect(answer, JSON.stringify(body).slice(0, 60)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    }
    expect((await call('GET', '/me', session)).body.profile).toEqual({ nickname: 'kept' });
    expect(({} as Record<string, unknown>).roles).toBeUndefined();
  });

  test('a new password ends all other sessions at every app, and the session that changed it stays', async () => {
    const { account, userId, session } = await newUser();
    const other = await stack.createApp();
    const [tablet, elsewhere] = [await newSession(userId), await newSession(userId, other)];
    await call('GET', '/me', tablet);
    const wrong = await call('PUT', '/me/password', session, { oldPassword: 'not-it-at-all', newPassword: NEXT });
    expect(wrong).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
    expect(await codeOf(tablet)).toBe('alive');
    const body = { oldPassword: PASSWORD, newPassword: NEXT };
    expect((await call('PUT', '/me/password', session, body)).status).toBe(204);
    expect([await codeOf(session), await codeOf(tablet)]).toEqual(['alive', 'SESSION_REVOKED']);
    expect(await codeOf(elsewhere, other)).toBe('SESSION_REVOKED');
    expect((await call('GET', '/sessions', session)).body.sessions).toHaveLength(1);
    expect([(await logIn(account)).status, (await logIn(account, NEXT)).status]).toEqual([401, 200]);
  });

  test('of two password changes at the same time one succeeds, and a change whose answer was lost succeeds too', async () => {
    const { account, session } = await newUser();
    const change = (oldPassword: string, newPassword: string) =>
      call('PUT', '/me/password', session, { oldPassword, newPassword });
    const answers = await Promise.all([change(PASSWORD, NEXT), change(PASSWORD, 'eleven-herons-in-flight')]);
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    const now = answers[0]?.status === 204 ? NEXT : 'eleven-herons-in-flight';
    let lost = 0;
    stack.faults.mysql = ({ sql = '' }) =>
      sql.startsWith('UPDATE users u JOIN') && lost++ === 0 ? { kind: 'drop-after' } : undefined;
    expect((await change(now, 'twelve-herons-at-rest')).status).toBe(204);
    expect(lost).toBe(2);
    expect((await logIn(account, 'twelve-herons-at-rest')).status).toBe(200);
  });

  test('wrong old passwords lock the password change, not the session', async () => {
    const { account, session } = await newUser();
    await makeHashQuick(stack.mysql, account);
    const change = (oldPassword: string) => call('PUT', '/me/password', session, { oldPassword, newPassword: NEXT });
    for (let i = 0; i < 10; i++) expect((await change(`guess-number-${i}`)).status).toBe(401);
    expect(await change(PASSWORD)).toMatchObject({ status: 429, body: { code: 'LOCKED' } });
    expect(await codeOf(session)).toBe('alive');
  });

  test('leaves no personal data when it is erased', async () => {
    const { account, session, userId } = await newUser({ nickname: 'erase-me' });
    const tablet = await newSession(userId);
    await stack.mysql.query('INSERT INTO user_fields (app_id, user_id, fields) VALUES (?, ?, ?)', [
      app.appId,
      userId,
      '{"city":"erase-me"}',
    ]);
    expect((await call('DELETE', '/me', session, { password: PASSWORD })).status).toBe(204);
    expect([await codeOf(session), await codeOf(tablet)]).toEqual(['SESSION_REVOKED', 'SESSION_REVOKED']);
    expect((await logIn(account)).status).toBe(401);
    for (const table of ['users', 'user_fields', 'sessions', 'reserved_accounts']) {
      const [rows] = await stack.mysql.query(`SELECT * FROM ${table}${table[0] === 'r' ? '' : ' WHERE user_id = ?'}`, [
        userId,
      ]);
      expect(JSON.stringify(rows)).not.toMatch(new RegExp(`erase-me|argon2|${account}|undici|node`));
    }
  });

  test('calls that carry or end credentials need an HMAC-SHA256 signature, and a login needs an app with the scope', async () => {
    const { session } = await newUser();
    const credentials = { account: newName(), password: PASSWORD };
    const weak = [
      ['POST', '/accounts', credentials],
      ['PUT', '/me/password', { oldPassword: PASSWORD, newPassword: NEXT }],
      ['DELETE', '/me', {}],
    ] as const;
    for (const [method, path, body] of weak) {
      const answer = await stack.call(app, method, path, { session, body, signature: 'v1' });
      expect(answer, path).toMatchObject({ status: 403, body: { code: 'SIGNATURE_TOO_WEAK' } });
    }
    const reader = await stack.createApp({ scopes: ['data:read'] });
    expect(await logIn('demo', PASSWORD, reader)).toMatchObject({ status: 403, body: { code: 'SCOPE_DENIED' } });
  });

  test('extra fields are checked by the schema of their app, and no other app sees them', async () => {
    const [shop, other] = [await stack.createApp(), await stack.createApp()];
    const { account, userId } = await newUser();
    const schema = {
      type: 'object',
      properties: { city: { type: 'string', maxLength: 20 }, level: { type: 'integer' } },
    };
    await setUserFields(shop.appId, schema, 'test');
    const session = await newSession(userId, shop);
    expect((await call('GET', '/me', session, undefined, shop)).body.fields).toEqual({});
    const fields = { city: '杭州', level: 3 };
    const changed = await call('PUT', '/me', session, { fields }, shop);
    expect(changed).toMatchObject({ status: 200, body: { fields } });
    expect((await call('GET', '/me', session, undefined, shop)).body.fields).toEqual(fields);
    expect((await logIn(account, PASSWORD, shop)).body.user.fields).toEqual(fields);
    expect((await logIn(account, PASSWORD, other)).body.user).not.toHaveProperty('fields');
    for (const wrong of [{ city: 1 }, { level: 1.5 }, { town: 'x' }, { city: 'x'.repeat(21) }, { constructor: 'x' }]) {
      const answer = await call('PUT', '/me', session, { fields: wrong }, shop);
      expect(answer, JSON.stringify(wrong)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    }
    const none = await newSession(userId);
    expect((await call('PUT', '/me', none, { fields })).status).toBe(400);
  });

  test('no password and no token is found in an engine or a log line', async () => {
    const { account, session } = await newUser();
    await logIn(account, 'a-wrong-guess-to-find');
    await call('PUT', '/me/password', session, { oldPassword: PASSWORD, newPassword: NEXT });
    await call('PUT', '/me', session, { profile: { n: 2 ** 60 } });
    const secrets = [PASSWORD, NEXT, 'a-wrong-guess-to-find', session, session.split('.')[2] as string, app.privateKey];
    const keys = await stack.redis.keys('*');
    const values = await Promise.all(keys.map((key) => stack.redis.get(key).catch(() => '')));
    const [tables] = await stack.mysql.query('SHOW TABLES');
    const rows: unknown[] = [];
    for (const name of (tables as object[]).map((row) => String(Object.values(row)[0]))) {
      rows.push((await stack.mysql.query(`SELECT * FROM \`${name}\``))[0]);
    }
    const everything = [...keys, ...values, JSON.stringify(rows), ...printed].join('\n');
    expect(printed.length).toBeGreaterThan(20);
    for (const secret of secrets) expect(everything.includes(secret), secret.slice(0, 8)).toBe(false);
  });
});
