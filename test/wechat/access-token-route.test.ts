import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { NEW_SCOPES } from '../../shared/app/admin.ts';
import { portalHere as portal, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { TOKEN_PATH } from '../support/token-world.ts';

let stack: TestStack;
let server: TestApp;
/** Log lines of the functions. */
const lines: string[] = [];
beforeAll(async () => {
  stack = await startTestStack({ env: { LOG: 'on' } });
  server = await stack.createApp({ scopes: ['wechat:token'] });
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(String(line)));
});
afterEach(() => stack.wechat.misbehave(null));
afterAll(() => void vi.restoreAllMocks());

const ask = (app: TestApp) => stack.call(app, 'GET', '/wechat/access-token');

describe('GET /wechat/access-token', () => {
  test.each([
    ['is busy', () => stack.wechat.failNextAt(TOKEN_PATH, -1), 'WECHAT_BUSY'],
    ['does not answer', () => stack.wechat.misbehave({ kind: 'refuse' }), 'UNAVAILABLE'],
    ['refuses the secret', () => stack.wechat.failNextAt(TOKEN_PATH, 40125), 'UNAVAILABLE'],
  ])('WeChat %s: 503, and the caller may try again', async (_what, fail, code) => {
    fail();
    const answer = await ask(server);
    expect(answer).toMatchObject({ status: 503, body: { code, retryable: true } });
    expect(answer.headers.get('retry-after')).toBe('2');
    await stack.redis.del(await stack.redis.keys('*wechat-token-lease*'));
  });

  test('gives the token of the mini-program and its end, and no cache may keep the answer', async () => {
    const answer = await ask(server);
    expect(answer).toMatchObject({ status: 200, body: { accessToken: expect.any(String) } });
    expect(Object.keys(answer.body)).toEqual(['accessToken', 'expiresAt']);
    const lifeMs = Date.parse(answer.body.expiresAt) - Date.now();
    expect(lifeMs).toBeGreaterThan(7_000_000);
    expect(lifeMs).toBeLessThanOrEqual(7_200_000);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect((await ask(server)).body).toEqual(answer.body);
    expect(lines.join('\n')).not.toContain(answer.body.accessToken);
  });

  test('costs no request to WeChat and no request of its own to Redis when it is warm', async () => {
    await ask(server);
    const before = stack.wechat.calls(TOKEN_PATH);
    await stack.resetCounters();
    await ask(server);
    expect(stack.wechat.calls(TOKEN_PATH)).toBe(before);
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });

  test('gives an app the token of its own mini-program', async () => {
    const own = await stack.createApp({ scopes: ['wechat:token'] });
    const folder = await temporaryFolder('access-token-route');
    const secret = randomBytes(16).toString('hex');
    const file = join(folder.path, 'secret');
    writeFileSync(file, secret);
    stack.wechat.addProgram({ appid: 'wxown', secret });
    await portalJson(['app', 'wechat', '--app', own.appId, '--wechat-appid', 'wxown', '--secret-file', file]);
    await folder.remove();
    const { status, body } = await ask(own);
    expect(status).toBe(200);
    expect(body.accessToken).not.toBe((await ask(server)).body.accessToken);
  });

  test('is refused without the scope, and with a signature of version 1', async () => {
    const other = await stack.createApp({ scopes: ['login', 'data:write'] });
    expect(await ask(other)).toMatchObject({ status: 403, body: { code: 'SCOPE_DENIED' } });
    const v1 = await stack.createApp({ scopes: ['wechat:token'], methods: ['SHA1'] });
    const answer = await stack.call(v1, 'GET', '/wechat/access-token', { signature: 'v1' });
    expect(answer).toMatchObject({ status: 403, body: { code: 'SIGNATURE_TOO_WEAK' } });
  });
});

describe('the scope wechat:token', () => {
  test('is no default of a new app', () => {
    expect(NEW_SCOPES).not.toContain('wechat:token');
  });

  test('is refused for a public app, and for one of both kinds', async () => {
    const create = await portal(['app', 'create', '--name', 'x', '--public', '--scopes', 'login,wechat:token']);
    expect(create).toMatchObject({ code: 2, stderr: expect.stringContaining('wechat:token') });
    const { appId } = await portalJson(['app', 'create', '--name', 'x']);
    await portalJson(['app', 'public', '--app', appId]);
    const add = await portal(['app', 'scopes', '--app', appId, '--add', 'wechat:token']);
    expect(add).toMatchObject({ code: 1, stderr: expect.stringContaining('only servers may have wechat:token') });
  });

  test('keeps an app a server', async () => {
    const { appId } = await portalJson(['app', 'create', '--name', 'x', '--scopes', 'wechat:token']);
    const open = await portal(['app', 'public', '--app', appId]);
    expect(open).toMatchObject({ code: 1, stderr: expect.stringContaining('wechat:token, which only servers') });
  });
});
