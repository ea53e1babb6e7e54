import { request } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import { startChannelSimulator } from '../../local/simulators/channel.ts';
import { changeUser } from '../../shared/account/change.ts';
import { putChannel } from '../../shared/channel/admin.ts';
import type { CurrentUser } from '../../shared/session/session.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

describe('changes of accounts and sessions', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  let names = 0;
  async function newUser() {
    const credentials = { account: `hostile-${++names}`, password: 'long enough 1' };
    const { userId } = (await stack.call(app, 'POST', '/accounts', { body: credentials })).body;
    const { token } = (await stack.call(app, 'POST', '/login', { body: credentials })).body;
    return { userId: String(userId), session: String(token), ...credentials };
  }

  test('a logout is valid also when the answer from MySQL was lost', async () => {
    const { session } = await newUser();
    expect((await stack.call(app, 'GET', '/me', { session })).status).toBe(200);
    let lost = 0;
    stack.faults.mysql = () => (lost++ === 0 ? { kind: 'drop-after' } : undefined);
    const answer = await stack.call(app, 'POST', '/logout', { session, body: {} });
    stack.faults.mysql = undefined;
    expect(answer.status).toBe(204);
    expect((await stack.call(app, 'GET', '/me', { session })).body.code).toBe('SESSION_REVOKED');
  });

  test('erasing an account removes all its fields, also those that another session writes meanwhile', async () => {
    const { userId, session } = await newUser();
    const other = { userId, sessionId: '0'.repeat(32) } as CurrentUser;
    const write = () => changeUser(app.appId, other, { fields: { city: 'somewhere' } });
    await write();
    expect((await stack.call(app, 'GET', '/me', { session })).status).toBe(200);
    const body = { password: 'long enough 1' };
    let erasing = 0;
    let meanwhile = Promise.resolve();
    stack.faults.mysql = ({ sql = '' }) => {
      if (!sql.startsWith('UPDATE users u LEFT JOIN sessions') || ++erasing > 1) return undefined;
      meanwhile = write();
      return { kind: 'delay', ms: 500 };
    };
    expect((await stack.call(app, 'DELETE', '/me', { session, body })).status).toBe(204);
    expect(erasing).toBe(1);
    await meanwhile;
    stack.faults.mysql = undefined;
    const [rows] = await stack.mysql.query('SELECT fields FROM user_fields WHERE user_id = ?', [userId]);
    expect(JSON.stringify(rows)).not.toContain('somewhere');
  });

  test('an empty password is refused as bad input, without computing a hash', async () => {
    const { account } = await newUser();
    const answer = await stack.call(app, 'POST', '/login', { body: { account, password: '' } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
  });

  test('a channel’s server on a private address is not called', async () => {
    const channel = await startChannelSimulator({ channel: 'inside' });
    const login = { loginHost: 'login.example', loginPort: 9000 };
    await putChannel({ channel: 'inside', verifyUrl: channel.url, ...login }, 'test');
    const start = () =>
      stack.call(app, 'POST', '/login/channel', {
        body: { channel: 'inside', channelUserId: 'u', ticket: channel.issueTicket('u') },
      });
    process.env.PLUGIN_PRIVATE_ADDRESSES = 'refuse';
    try {
      expect(await start()).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    } finally {
      process.env.PLUGIN_PRIVATE_ADDRESSES = 'allow';
    }
    expect((await start()).status).toBe(200);
    await channel.stop();
  });

  test('a caller who starts channel logins in another user’s name is locked out, and the user is not', async () => {
    const body = { channel: 'demo', channelUserId: 'victim' };
    const statusFrom = (localAddress: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = stack.sign(app, 'POST', '/login/channel', { body });
        const sent = request(`${stack.url}/login/channel`, { method: 'POST', headers, localAddress }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode));
        });
        sent.on('error', reject).end(JSON.stringify(body));
      });
    let refused = 0;
    for (let tries = 0; tries < 125; tries++) refused += (await statusFrom('127.0.7.1')) === 429 ? 1 : 0;
    expect(refused).toBe(5);
    expect(await statusFrom('127.0.7.2')).toBe(200);
  });
});
