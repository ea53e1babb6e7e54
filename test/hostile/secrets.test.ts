import { randomBytes, randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { channelDigest } from '../../client/channel-digest.ts';
import { type ChannelSimulator, startChannelSimulator } from '../../local/simulators/channel.ts';
import { type PluginServerSimulator, startPluginServer } from '../../local/simulators/plugin-server.ts';
import { makePush } from '../../local/simulators/wechat-push.ts';
import { makeResetToken } from '../../shared/account/password-reset.ts';
import { putChannel } from '../../shared/channel/admin.ts';
import { registerPlugin, rotatePluginSecret } from '../../shared/plugin/admin.ts';
import { sandboxSignature } from '../../shared/recharge/sandbox/provider.ts';
import { removeMiniProgram, setMiniProgram } from '../../shared/wechat/admin.ts';
import { dumpMysql, dumpRedis, ruleBreakers } from '../support/engine-dump.ts';
import { type SecretStory, startSecretStory } from '../support/secret-story.ts';
import type { TestApp, TestStack } from '../support/stack.ts';

let story: SecretStory;
let stack: TestStack;
let app: TestApp;
let channel: ChannelSimulator;
let plugin: PluginServerSimulator;
const call: SecretStory['call'] = (...given) => story.call(...given);
const keep: SecretStory['keep'] = (what, secret) => story.keep(what, secret);

beforeAll(async () => {
  story = await startSecretStory();
  ({ stack, app } = story);
});
afterAll(async () => {
  await channel?.stop();
  await plugin?.stop();
});

describe('calls that carry secrets are answered', () => {
  const account = `user-${randomBytes(4).toString('hex')}`;
  const password = `pass-${randomBytes(9).toString('hex')}`;
  const second = `pass-${randomBytes(9).toString('hex')}`;
  let session = '';

  test('with a password: registered, logged in, refused, changed', async () => {
    for (const chosen of [password, second]) keep('password', chosen);
    expect((await call('POST', '/accounts', { body: { account, password } })).status).toBe(201);
    session = keep('session', (await call('POST', '/login', { body: { account, password } })).body.token);
    expect((await call('GET', '/me', { session })).status).toBe(200);
    const wrong = keep('wrong password', `wrong-${randomBytes(9).toString('hex')}`);
    expect((await call('POST', '/login', { body: { account, password: wrong } })).status).toBe(401);
    const body = { oldPassword: password, newPassword: second };
    expect((await call('PUT', '/me/password', { session, body })).status).toBe(204);
    expect((await call('POST', '/login', { body: { account, password: second, surplus: second } })).status).toBe(400);
    expect((await call('POST', '/login', { body: `{"password":"${second}` })).status).toBe(400);
    const logged = await call('POST', '/login', { body: { account, password: second }, signature: 'v1' });
    session = keep('session', logged.body.token);
  });

  test('by WeChat: code, session_key', async () => {
    const code = keep('code', stack.wechat.issueCode());
    expect((await call('POST', '/login/wechat', { body: { code } })).status).toBe(200);
    expect((await call('POST', '/login/wechat', { body: { code } })).status).toBe(401);
    const sessionKey = keep('session_key', randomBytes(16).toString('base64'));
    stack.wechat.misbehave({ kind: 'answer', status: 200, body: { openid: 'o-1', session_key: sessionKey } });
    const other = keep('code', randomBytes(16).toString('hex'));
    keep('session', (await call('POST', '/login/wechat', { body: { code: other } })).body.token);
    stack.wechat.misbehave({ kind: 'answer', status: 200, body: { errcode: 40125, errmsg: sessionKey } });
    expect((await call('POST', '/login/wechat', { body: { code: keep('code', 'c'.repeat(31)) } })).status).toBe(503);
    stack.wechat.misbehave(null);
  });

  test('through a channel: ticket, first and second string', async () => {
    channel = await startChannelSimulator({ channel: 'games' });
    await putChannel({ channel: 'games', verifyUrl: channel.url, loginHost: 'games.example', loginPort: 7000 }, 'test');
    const ticket = keep('ticket', channel.issueTicket('player-1'));
    const start = await call('POST', '/login/channel', {
      body: { channel: 'games', channelUserId: 'player-1', ticket },
    });
    const { accountAddress, firstString } = start.body;
    keep('first string', firstString);
    const timeStamp = String(Math.floor(Date.now() / 1000));
    const digest = keep('digest', channelDigest('MD5', accountAddress, firstString, timeStamp));
    const body = { accountAddress, digest: '0'.repeat(32), timeStamp };
    expect((await call('POST', '/login/channel/verify', { body })).status).toBe(401);
    const verified = await call('POST', '/login/channel/verify', { body: { ...body, digest } });
    const { secondString, loginList } = verified.body;
    keep('second string', secondString);
    story.broken.push(...(await ruleBreakers(stack.redis)));
    const entry = loginList[0];
    const entered = await call('POST', '/login/channel/enter', { body: { accountAddress, secondString, entry } });
    keep('session', entered.body.token);
    expect(entered.status).toBe(200);
  });

  test('with a plugin: push secrets, plugin tokens, and the plugin server’s own key', async () => {
    const registered = await registerPlugin({ pluginId: 'maps', serverUrl: 'http://127.0.0.1:1/push' });
    keep('push secret', registered.pushSecret);
    keep('privateKey', registered.privateKey);
    const { pushSecret } = await rotatePluginSecret('maps');
    keep('push secret', pushSecret);
    plugin = await startPluginServer({ pluginId: 'maps', pushSecrets: [registered.pushSecret] });
    expect((await call('POST', '/plugins/maps/token', { session })).status).toBe(503);
    await stack.mysql.execute("UPDATE plugins SET server_url = ?, version = version + 1 WHERE plugin_id = 'maps'", [
      plugin.pushUrl,
    ]);
    await stack.redis.del(...(await stack.redis.keys('*:cache:plugins:*')));
    const { pluginToken } = await untilIssued();
    keep('plugin token', pluginToken);
    const asked = { body: { pluginToken } };
    expect((await call('POST', '/plugins/maps/validate', asked, registered)).body.active).toBe(true);
  });

  /** A warm function keeps the old address for 5 s. */
  async function untilIssued(): Promise<{ pluginToken: string }> {
    for (let tries = 0; tries < 40; tries++) {
      const answer = await call('POST', '/plugins/maps/token', { session });
      if (answer.status === 201) return answer.body;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    throw new Error('no plugin token was issued');
  }

  test('with money: ordered, paid, spent, refused', async () => {
    const headers = { 'idempotency-key': randomBytes(12).toString('hex') };
    const { products } = (await call('GET', '/recharge/params', { session })).body;
    const order = await call('POST', '/recharge', {
      session,
      headers,
      body: { productId: products[0].productId, provider: 'sandbox' },
    });
    expect(order.status).toBe(201);
    const { orderNo } = order.body;
    const notice = {
      orderNo,
      amountFen: products[0].amountFen,
      currency: 'CNY',
      transactionId: 't-1',
      status: 'SUCCESS',
    };
    for (const sent of [JSON.stringify({ ...notice, amountFen: 1 }), JSON.stringify(notice)]) {
      const stamp = String(Math.floor(Date.now() / 1000));
      const signature = keep('notice signature', sandboxSignature(stack.env.SANDBOX_KEY ?? '', stamp, sent));
      await stack.send(
        'POST',
        '/recharge/notify/sandbox',
        { 'sandbox-timestamp': stamp, 'sandbox-signature': signature },
        sent,
      );
    }
    const forged = {
      'sandbox-timestamp': '1767225600',
      'sandbox-signature': keep('forged', randomBytes(32).toString('hex')),
    };
    expect((await stack.send('POST', '/recharge/notify/sandbox', forged, JSON.stringify(notice))).status).toBe(401);
    const spent = await call('POST', '/balance/spend', { session, headers, body: { amount: 1, reason: 'tea' } });
    expect(spent.status).toBe(201);
    for (const path of ['/balance', '/balance/entries', '/recharge', `/recharge/${orderNo}`, '/sessions']) {
      expect((await call('GET', path, { session })).status).toBe(200);
    }
    expect((await call('POST', `/recharge/${orderNo}/sync`, { session })).status).toBe(200);
  });

  test('of a second mini-program: its secrets, access_token, phone numbers and message pushes', async () => {
    const wechatAppid = 'wx2222222222222222';
    const secrets = [1, 2].map(() => keep('AppSecret', randomBytes(16).toString('hex')));
    const push = {
      token: keep('push token', randomBytes(8).toString('hex')),
      encodingAesKey: keep('EncodingAESKey', 'aB3'.repeat(14) + randomBytes(1).toString('hex').slice(0, 1)),
    };
    for (const secret of secrets) await setMiniProgram(app.appId, { wechatAppid, secret, push }, 'test');
    stack.wechat.addProgram({ appid: wechatAppid, secret: String(secrets[0]) });
    const code = keep('code', stack.wechat.issueCode({ appid: wechatAppid }));
    const number = keep('phone number', `137${randomInt(1e7, 1e8)}`);
    const phoneCode = keep('phone code', stack.wechat.issuePhoneCode({ appid: wechatAppid, number }));
    const login = await call('POST', '/login/wechat', { body: { code, phoneCode } });
    expect(login).toMatchObject({ status: 200, body: { user: { phone: expect.stringContaining('****') } } });
    const member = keep('session', login.body.token);
    const next = keep('phone number', `136${randomInt(1e7, 1e8)}`);
    for (const given of ['made-up-code', stack.wechat.issuePhoneCode({ appid: wechatAppid, number: next })]) {
      keep('phone code', given);
      await call('POST', '/me/identities/phone', { session: member, body: { phoneCode: given } });
    }
    const token = (await call('GET', '/wechat/access-token')).body.accessToken;
    keep("WeChat's access_token", token);
    stack.wechat.endTokens(wechatAppid);
    const third = keep('phone code', stack.wechat.issuePhoneCode({ appid: wechatAppid, number }));
    expect((await call('POST', '/me/identities/phone', { session: member, body: { phoneCode: third } })).status).toBe(
      201,
    );
    const sent = makePush(
      { wechatAppid, ...push },
      { MsgType: 'event', Event: 'user_authorization_revoke', OpenID: 'o-nobody', RevokeInfo: '8' },
      { now: Math.floor(Date.now() / 1000) },
    );
    expect((await stack.send('POST', `/wechat/push/${wechatAppid}?${sent.query}`, {}, sent.body)).status).toBe(200);
    expect((await stack.send('POST', `/wechat/push/${wechatAppid}?${sent.query}x`, {}, sent.body)).status).toBe(401);
    await call('GET', '/me/export', { session: member });
    await removeMiniProgram(app.appId, 'test');
  });

  test('with a forgotten password: the token of an operator', async () => {
    const [row] = (await stack.mysql.query('SELECT user_id FROM users WHERE account = ?', [account]))[0] as unknown as [
      { user_id: string },
    ];
    const { resetToken } = await makeResetToken(row.user_id, 'test');
    keep('reset token', resetToken);
    const third = keep('password', `pass-${randomBytes(9).toString('hex')}`);
    const body = { resetToken: `${resetToken.slice(0, -1)}x`, password: third };
    expect((await call('POST', '/login/reset', { body })).status).toBe(401);
    expect((await call('POST', '/login/reset', { body: { ...body, resetToken } })).status).toBe(204);
    await call('PUT', '/me/password', { session, body: { oldPassword: third, newPassword: second } });
    session = keep('session', (await call('POST', '/login', { body: { account, password: third } })).body.token);
    expect(
      (await call('PUT', '/me/password', { session, body: { oldPassword: third, newPassword: second } })).status,
    ).toBe(204);
  });

  test('with an upload, and a store that refuses it', async () => {
    const signatureOf = (address: string) => new URL(address).searchParams.get('X-Amz-Signature') ?? '';
    const bytes = randomBytes(200);
    const promised = { session, body: { contentType: 'image/png', bytes: bytes.length } };
    const { uploadId, url, headers } = (await call('POST', '/uploads', promised)).body;
    keep('signed address', signatureOf(url));
    expect((await fetch(url, { method: 'PUT', headers, body: bytes })).status).toBe(200);
    const create = () => {
      const key = { 'idempotency-key': randomBytes(12).toString('hex') };
      return call('POST', '/data/photo', { session, headers: key, body: { picture: uploadId } });
    };
    const said = keep('what a store said', `store-${randomBytes(8).toString('hex')}`);
    stack.objectStore.misbehave({ kind: 'answer', status: 403, body: said, headers: { 'x-said': said } });
    expect((await create()).status).toBe(503);
    stack.objectStore.misbehave(null);
    const created = await create();
    expect(created.status).toBe(201);
    keep('signed address', signatureOf(created.body.picture));
    expect((await call('GET', `/data/photo/${created.body.id}`, { session })).status).toBe(200);
    await stack.api.runSchedule('upload-sweep');
  });

  test('with reads, schedules, replays and forgeries', async () => {
    await call('GET', '/data/notice/1');
    await call('GET', '/data/service', { query: 'ids=1,2,99999' });
    await call('GET', '/data/voucher/1', { session });
    await stack.api.runSchedule('cache-warm');
    await stack.api.runSchedule('recharge-sweep');
    story.broken.push(...(await ruleBreakers(stack.redis)));
    const headers: Record<string, string> = stack.sign(app, 'GET', '/me', { session });
    keep('access_token', headers['access-token'] ?? '');
    await stack.send('GET', '/me', headers);
    expect((await stack.send('GET', '/me', headers)).status).toBe(401);
    const forged = keep('forged session', `${session.slice(0, -4)}AAAA`);
    expect((await call('GET', '/me', { session: forged })).status).toBe(401);
    const stranger = { ...app, privateKey: keep('wrong privateKey', randomBytes(32).toString('base64url')) };
    expect((await call('GET', '/me', { session }, stranger)).status).toBe(403);
  });

  test('with engines that fail with their own messages, and a missing table', async () => {
    const said = keep('what an engine said', `engine-${randomBytes(8).toString('hex')}`);
    for (const engine of ['redis', 'mysql'] as const) {
      stack.faults[engine] = () => ({ kind: 'status', status: 500, body: said });
      const read = await call('GET', '/balance/entries', { session });
      const write = await call('POST', '/login', { body: { account, password: second } });
      expect([write.status, [200, 503].includes(read.status)]).toEqual([503, true]);
      stack.faults[engine] = undefined;
      await new Promise((resolve) => setTimeout(resolve, 2_500));
    }
    await stack.mysql.query('RENAME TABLE ledger_entries TO ledger_hidden');
    const answer = await call('GET', '/balance/entries', { session });
    await stack.mysql.query('RENAME TABLE ledger_hidden TO ledger_entries');
    const body = { code: 'INTERNAL', detail: 'An error happened in the server.' };
    expect(answer).toMatchObject({ status: 500, body });
    expect(answer.text).not.toMatch(/ledger|mysql|errno|sqlstate|at /i);
    expect((await call('POST', '/logout', { session, body: { all: true } })).status).toBe(204);
  });
});

describe('after calls with every kind of secret', () => {
  test('the list of secrets contains every kind', () => {
    const kinds = new Set([...story.secrets.keys()].map((what) => what.replace(/ \d+$/, '')));
    for (const kind of [
      'privateKey',
      'password',
      'session',
      'code',
      'session_key',
      'ticket',
      'first string',
      'second string',
      'push secret',
      'plugin token',
      'access_token',
      'MASTER_KEY',
      'SERVER_KEY',
      'SANDBOX_KEY',
      'UPSTASH_REDIS_REST_TOKEN',
      'WECHAT_SECRET',
      'UPLOADS_SECRET',
      'AppSecret',
      'EncodingAESKey',
      'phone number',
      'phone code',
      "WeChat's access_token",
      'reset token',
      'signed address',
      'database password',
    ]) {
      expect(kinds).toContain(kind);
    }
    expect([...story.secrets.values()].every((secret) => secret.length >= 8)).toBe(true);
    // The search finds a secret that is there.
    expect(story.found(`x ${app.privateKey} y`)).toHaveLength(1);
  });

  test('no log line contains a secret', () => {
    const log = story.output.join('\n');
    expect(log).toContain('"route":"POST /login"');
    expect(log).toContain('"code":"INTERNAL"');
    expect(story.found(log)).toEqual([]);
    expect(log).not.toMatch(/ledger_entries|SELECT |INSERT /);
  });

  test('no key and no value in Redis contains a secret', async () => {
    const dump = await dumpRedis(stack.redis);
    expect(dump.length).toBeGreaterThan(1_000);
    expect(story.found(dump)).toEqual([]);
  });

  test('no row in MySQL contains a secret', async () => {
    const dump = await dumpMysql(stack.mysql);
    expect(dump).toContain('$argon2id$');
    expect(story.found(dump)).toEqual([]);
  });

  test('no answer contains a secret, except the answer that issues it', () => {
    const text = story.answers.join('\n');
    // The export has the user's own phone number.
    const handedOut =
      /^(session|first string|second string|plugin token|signed address|WeChat's access_token|phone number) /;
    expect(story.found(text).filter((what) => !handedOut.test(what))).toEqual([]);
  });

  test('every key belongs to a declared family, had an expiry, and none lived longer than its family allows', () => {
    expect([...new Set(story.broken)]).toEqual([]);
  });
});
