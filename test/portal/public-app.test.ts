import { beforeAll, describe, expect, test } from 'vitest';
import { portalHere as portal, portalJson } from '../support/portal-command.ts';
import { inventedSession, type PublicCall, publicHeaders } from '../support/public-app.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});

const newApp = (...options: string[]) => portalJson(['app', 'create', '--name', 'shop', ...options]);
const show = (appId: string) => portalJson(['app', 'show', '--app', appId]);

/** A call of the app's public side: 403 of the gateway, or the answer of a function. */
async function publicCall(appId: string, call: Partial<PublicCall> = {}, signed = true): Promise<number> {
  const { method = 'GET', path = '/data/notice/1' } = call;
  const signer = signed ? inventedSession(stack.env.SIGNING_KEY ?? '', appId) : undefined;
  const { status, text } = await stack.send(method, path, publicHeaders(appId, signer, { method, path, ...call }));
  return text === '{"message":"Forbidden"}' ? 0 : status;
}

describe('portal app create --public', () => {
  test('issues an AppID without a key, and opens the WeChat login alone', async () => {
    const issued = await newApp('--public');
    expect(issued).toEqual({ appId: expect.stringMatching(/^[0-9a-f-]{36}$/), open: ['wechat'] });
    const shown = await show(issued.appId);
    expect(shown).toMatchObject({ kind: 'public', methods: ['SESSION-HMAC-SHA256'], open: ['wechat'], keys: [] });
    expect(shown.scopes).toEqual(expect.arrayContaining(['login', 'data:read', 'recharge', 'open:wechat']));
    const [keys] = await stack.mysql.query('SELECT 1 FROM app_keys WHERE app_id = ?', [issued.appId]);
    expect(keys).toEqual([]);
  });

  test('gives each opening the scope that its routes need', async () => {
    const issued = await newApp('--public', '--open', 'password,data', '--scopes', 'recharge');
    expect(issued.open).toEqual(['password', 'data']);
    const { scopes } = await show(issued.appId);
    expect([...scopes].sort()).toEqual(['data:read', 'login', 'open:data', 'open:password', 'recharge']);
  });

  test.each([
    [['--public', '--methods', 'SHA1'], '--public takes no --methods'],
    [['--public', '--scopes', 'login,plugin:validate'], '--public takes no scope of servers: plugin:validate'],
    [['--public', '--open', 'everything'], '"everything" is not one of them'],
    [['--public', '--scopes', 'open:data'], '"open:data" is not one of them'],
    [['--open', 'data'], '--open goes with --public'],
    [['--scopes', 'open:data'], '"open:data" is not one of them'],
    [['--methods', 'SESSION-HMAC-SHA256'], '"SESSION-HMAC-SHA256" is not one of them'],
  ])('%j is refused', async (options, sentence) => {
    const run = await portal(['app', 'create', '--name', 'x', ...options]);
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
  });

  test('no key can be made for it', async () => {
    const { appId } = await newApp('--public');
    const run = await portal(['app', 'rotate-key', '--app', appId]);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('of a public app the sessions sign') });
    expect((await show(appId)).keys).toEqual([]);
  });
});

describe('portal app public', () => {
  test('gives a server app a public side; its key stays valid until --only', async () => {
    const app = await newApp();
    expect(await publicCall(app.appId)).toBe(0);
    const side = await portalJson(['app', 'public', '--app', app.appId]);
    expect(side).toEqual({
      appId: app.appId,
      methods: ['SHA1', 'HMAC-SHA256', 'SESSION-HMAC-SHA256'],
      open: ['wechat'],
      liveKeys: 1,
    });
    expect(await show(app.appId)).toMatchObject({ kind: 'both', open: ['wechat'] });
    const text = await portal(['app', 'show', '--app', app.appId]);
    expect(text.stdout).toContain('end v1 and v2 with "app public --only"');
    await stack.api.reload();
    expect(await publicCall(app.appId)).not.toBe(0);
    expect((await stack.call(app, 'GET', '/data/notice/1')).status).toBe(404);
  });

  test('--only revokes the keys: refused at once by calls that change something, and by each new instance', async () => {
    const app = await newApp();
    await portalJson(['app', 'public', '--app', app.appId]);
    const login = { body: { account: 'nobody', password: 'wrong-password' } };
    expect((await stack.call(app, 'POST', '/login', login)).status).toBe(401);
    const side = await portalJson(['app', 'public', '--app', app.appId, '--only']);
    expect(side).toMatchObject({ methods: ['SESSION-HMAC-SHA256'], liveKeys: 0, open: ['wechat'] });
    expect((await stack.call(app, 'POST', '/login', login)).text).toBe('{"message":"Forbidden"}');
    await stack.api.reload();
    expect((await stack.call(app, 'GET', '/data/notice/1')).text).toBe('{"message":"Forbidden"}');
    expect(await publicCall(app.appId)).not.toBe(0);
    expect((await show(app.appId)).kind).toBe('public');
    const again = await portal(['app', 'rotate-key', '--app', app.appId]);
    expect(again.code).toBe(1);
  });

  test('--off ends named and signed calls at once for calls that change something; its key stays valid', async () => {
    const app = await newApp();
    await portalJson(['app', 'public', '--app', app.appId, '--open', 'wechat,data']);
    await stack.api.reload();
    expect(await publicCall(app.appId, {}, false)).not.toBe(0);
    const side = await portalJson(['app', 'public', '--app', app.appId, '--off']);
    expect(side).toMatchObject({ methods: ['SHA1', 'HMAC-SHA256'], open: [], liveKeys: 1 });
    const mark = await stack.redis.get((await stack.redis.keys(`*app-off*${app.appId}*`))[0] ?? '');
    expect(mark).toBe('~public');
    await portalJson(['app', 'enable', '--app', app.appId]);
    expect((await stack.redis.keys(`*app-off*${app.appId}*`)).length).toBe(1);
    await stack.api.reload();
    expect(await publicCall(app.appId)).toBe(0);
    expect((await stack.call(app, 'GET', '/data/notice/1')).status).toBe(404);
    expect((await show(app.appId)).kind).toBe('server');
    await portalJson(['app', 'public', '--app', app.appId]);
    expect(await stack.redis.keys(`*app-off*${app.appId}*`)).toEqual([]);
  });

  test('shuts what is not named, and keeps what is open without --open', async () => {
    const { appId } = await newApp('--public', '--open', 'wechat,password,data');
    expect((await portalJson(['app', 'public', '--app', appId])).open).toEqual(['wechat', 'password', 'data']);
    const shut = await portal(['app', 'public', '--app', appId, '--open', 'data']);
    expect(shut.stderr).toContain('before a login these will be refused: wechat, password.');
    expect((await show(appId)).open).toEqual(['data']);
  });

  test.each([
    [['--only', '--off'], 2, 'not both'],
    [['--only', '--open', 'data'], 2, 'neither'],
    [['--only'], 1, 'not public yet'],
  ])('%j on a server app is refused, and changes nothing', async (options, code, sentence) => {
    const { appId } = await newApp();
    const run = await portal(['app', 'public', '--app', appId, ...options]);
    expect(run).toMatchObject({ code, stderr: expect.stringContaining(sentence) });
    expect(await show(appId)).toMatchObject({ kind: 'server', keys: [{ state: 'live' }] });
  });

  test('the app of a plugin server stays a server', async () => {
    const { appId } = await portalJson(['plugin', 'add', '--id', 'quiz', '--server', 'http://127.0.0.1:9/push']);
    const run = await portal(['app', 'public', '--app', appId]);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('plugin:validate, which only servers') });
    expect((await show(appId)).kind).toBe('server');
  });

  test('each change is in the operator log', async () => {
    const { appId } = await newApp();
    for (const options of [['--open', 'data'], ['--only'], ['--off']]) {
      await portalJson(['app', 'public', '--app', appId, '--actor', 'mei@desk', ...options]);
    }
    const { entries } = await portalJson(['operator-log', 'list', '--subject', appId]);
    expect(entries).toMatchObject([
      { actor: 'mei@desk', action: 'app.public-off' },
      { actor: 'mei@desk', action: 'app.public-only' },
      { actor: 'mei@desk', action: 'app.public', detail: { open: ['data'] } },
      { action: 'app.create' },
    ]);
  });
});

describe('a lock rule by app alone', () => {
  const rule = ['--target', 'data:notice', '--limit', '10', '--window', '60'];

  test('is refused while an app is public, unless the operator says that anybody can name it', async () => {
    await newApp('--public');
    const run = await portal(['lock', 'set', ...rule, '--by', 'app']);
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('--anyone-can-name-it') });
    for (const by of ['app,ip', 'user', 'app,user']) await portalJson(['lock', 'set', ...rule, '--by', by]);
    await portalJson(['lock', 'set', ...rule, '--by', 'app', '--anyone-can-name-it']);
    const created = await portal(['app', 'create', '--name', 'x', '--public']);
    expect(created.stdout).toContain('data:notice: the rule of operators by app alone can lock out all users');
    await portalJson(['lock', 'clear', '--target', 'data:notice']);
  });
});
