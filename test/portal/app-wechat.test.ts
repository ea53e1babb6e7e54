import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dumpMysql, dumpRedis } from '../support/engine-dump.ts';
import { portalHere as portal, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: TestStack;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  stack = await startTestStack();
  folder = await temporaryFolder('app-wechat');
});
afterAll(() => folder.remove());

const newSecret = () => randomBytes(16).toString('hex');
function fileOf(text: string): string {
  const file = join(folder.path, randomBytes(4).toString('hex'));
  writeFileSync(file, `${text}\n`);
  return file;
}
const set = (appId: string, wechatAppid: string, secret?: string) =>
  portalJson([
    ...['app', 'wechat', '--app', appId, '--wechat-appid', wechatAppid],
    ...(secret === undefined ? [] : ['--secret-file', fileOf(secret)]),
  ]);
const logIn = (app: TestApp, code: string) => stack.call(app, 'POST', '/login/wechat', { body: { code } });

describe('portal app wechat', () => {
  test('gives an app its own mini-program, and its users log in there', async () => {
    const app = await stack.createApp();
    const secret = newSecret();
    stack.wechat.addProgram({ appid: 'wxshop', secret });
    expect(await set(app.appId, 'wxshop', secret)).toEqual({
      appId: app.appId,
      name: expect.any(String),
      wechatAppid: 'wxshop',
      isDefault: false,
      secret: 'stored',
      hasFormerSecret: false,
      hasPush: false,
      changedAt: expect.any(String),
      otherApps: [],
    });
    expect((await logIn(app, stack.wechat.issueCode({ appid: 'wxshop' }))).status).toBe(200);
    expect((await logIn(app, stack.wechat.issueCode())).status).toBe(401);
  });

  test('serves several apps with one mini-program, whose secret is stored once', async () => {
    const [first, second] = [await stack.createApp(), await stack.createApp()];
    await set(first.appId, 'wxboth', newSecret());
    expect(await set(second.appId, 'wxboth')).toMatchObject({ secret: 'stored', otherApps: [first.appId] });
  });

  test('tries the new and the former secret until the former one is ended', async () => {
    const app = await stack.createApp();
    const [old, next] = [newSecret(), newSecret()];
    stack.wechat.addProgram({ appid: 'wxnext', secret: old });
    await set(app.appId, 'wxnext', old);
    expect(await set(app.appId, 'wxnext', next)).toMatchObject({ hasFormerSecret: true });
    expect(await set(app.appId, 'wxnext', next)).toMatchObject({ hasFormerSecret: true });
    expect((await logIn(app, stack.wechat.issueCode({ appid: 'wxnext' }))).status).toBe(200);
    stack.wechat.addProgram({ appid: 'wxnext', secret: next });
    expect((await logIn(app, stack.wechat.issueCode({ appid: 'wxnext' }))).status).toBe(200);
    const ended = await portal(['app', 'wechat', '--app', app.appId, '--end-former', '--json']);
    expect(ended.stderr).toContain('The former secret of mini-program wxnext will be deleted');
    expect(await portalJson(['app', 'wechat', '--app', app.appId, '--show'])).toMatchObject({ hasFormerSecret: false });
    expect(await portal(['app', 'wechat', '--app', app.appId, '--end-former'])).toMatchObject({ code: 1 });
  });

  test('says so when a third secret ends the former one', async () => {
    const { appId } = await stack.createApp();
    await set(appId, 'wxthird', newSecret());
    await set(appId, 'wxthird', newSecret());
    const argv = ['app', 'wechat', '--app', appId, '--wechat-appid', 'wxthird', '--secret-file', fileOf(newSecret())];
    const run = await portal(argv, process.env, async () => '');
    expect(run).toMatchObject({ code: 1, stdout: expect.stringContaining('a new one will end it') });
  });

  test('sets the message push, and asks before it replaces it', async () => {
    const { appId } = await stack.createApp();
    const push = (token: string) => fileOf(JSON.stringify({ token, encodingAesKey: 'a'.repeat(43) }));
    await set(appId, 'wxpush', newSecret());
    const argv = (token: string) => [
      ...['app', 'wechat', '--app', appId, '--wechat-appid', 'wxpush', '--push-file', push(token)],
    ];
    expect(await portalJson(argv('pushToken1'))).toMatchObject({ hasPush: true, secret: 'stored' });
    const again = await portal(argv('pushToken2'));
    expect(again.stderr).toContain('messages that are signed with the former settings will be refused');
  });

  test('says what a move and a removal end; the secrets of a mini-program without apps are deleted', async () => {
    const { appId } = await stack.createApp();
    await set(appId, 'wxfrom', newSecret());
    const argv = ['app', 'wechat', '--app', appId, '--wechat-appid', 'wxto', '--secret-file', fileOf(newSecret())];
    const moved = await portal(argv);
    expect(moved.stderr).toContain('its mini-program wxfrom will be wxto. Its users keep their identities');
    expect(moved.stderr).toContain('No other app has mini-program wxfrom');
    const removed = await portal(['app', 'wechat', '--app', appId, '--remove']);
    expect(removed.stderr).toContain('will be WECHAT_APPID, the default');
    expect(await portalJson(['app', 'wechat', '--app', appId, '--show'])).toMatchObject({
      isDefault: true,
      wechatAppid: stack.env.WECHAT_APPID,
      secret: 'environment',
    });
    const [rows] = await stack.mysql.query("SELECT 1 FROM mini_programs WHERE wechat_appid IN ('wxfrom', 'wxto')");
    expect(rows).toEqual([]);
    expect(await portal(['app', 'wechat', '--app', appId, '--remove'])).toMatchObject({ code: 1 });
  });

  test.each<[options: string[], code: number, sentence: string]>([
    [[], 2, 'give one of'],
    [['--show', '--remove'], 2, 'give one of'],
    [['--show', '--wechat-appid', 'wx1'], 2, 'give one of'],
    [['--secret-file', '/nowhere'], 2, '--wechat-appid is missing'],
    [['--wechat-appid', 'wx 1'], 2, "in WeChat's console"],
    [['--wechat-appid', 'wxunknown'], 1, 'give --secret-file'],
    [['--wechat-appid', 'wxunknown', '--secret-file', '/nowhere'], 2, 'cannot be read'],
  ])('%j is refused, and changes nothing', async (options, code, sentence) => {
    const { appId } = await stack.createApp();
    const run = await portal(['app', 'wechat', '--app', appId, ...options]);
    expect(run).toMatchObject({ code, stderr: expect.stringContaining(sentence) });
    expect(await portalJson(['app', 'wechat', '--app', appId, '--show'])).toMatchObject({ isDefault: true });
  });

  test.each([
    ['--secret-file', 'short', 1],
    ['--push-file', '{"token":"t"}', 2],
    ['--push-file', `{"token":"t!","encodingAesKey":"${'a'.repeat(43)}"}`, 1],
    ['--push-file', '{"token":"abc","encodingAesKey":"short"}', 1],
    ['--push-file', 'no json', 2],
  ])('%s with %s is refused without printing it', async (option, text, code) => {
    const { appId } = await stack.createApp();
    const run = await portal(['app', 'wechat', '--app', appId, '--wechat-appid', 'wxbad', option, fileOf(text)]);
    expect(run.code).toBe(code);
    expect(run.stdout + run.stderr).not.toContain(text);
  });

  test('shows, logs and stores no secret in clear', async () => {
    const app = await stack.createApp();
    const [secret, token] = [newSecret(), newSecret()];
    stack.wechat.addProgram({ appid: 'wxquiet', secret });
    await portalJson([
      ...['app', 'wechat', '--app', app.appId, '--wechat-appid', 'wxquiet', '--secret-file', fileOf(secret)],
      ...['--push-file', fileOf(JSON.stringify({ token, encodingAesKey: 'k'.repeat(43) }))],
    ]);
    await logIn(app, stack.wechat.issueCode({ appid: 'wxquiet' }));
    const shown = await portal(['app', 'wechat', '--app', app.appId, '--show']);
    const dump = shown.stdout + (await dumpMysql(stack.mysql)) + (await dumpRedis(stack.redis));
    for (const text of [secret, token, 'k'.repeat(43)]) expect(dump).not.toContain(text);
  });

  test('each change is in the operator log', async () => {
    const { appId } = await stack.createApp();
    await set(appId, 'wxlog', newSecret());
    await set(appId, 'wxlog', newSecret());
    await portalJson(['app', 'wechat', '--app', appId, '--end-former']);
    await portalJson(['app', 'wechat', '--app', appId, '--remove']);
    const { entries } = await portalJson(['operator-log', 'list', '--subject', appId]);
    expect(entries.slice(0, 4)).toMatchObject([
      { action: 'app.wechat-remove', detail: { wechatAppid: 'wxlog' } },
      { action: 'app.wechat-end-former', detail: { wechatAppid: 'wxlog' } },
      { action: 'app.wechat', detail: { wechatAppid: 'wxlog', secret: true, push: false } },
      { action: 'app.wechat' },
    ]);
  });
});

describe('portal wechat token', () => {
  test('shows the age and the end, and replaces a token once in 30 s', async () => {
    const wechatAppid = stack.env.WECHAT_APPID ?? '';
    const argv = ['wechat', 'token', '--wechat-appid', wechatAppid];
    expect(await portalJson(argv)).toEqual({
      wechatAppid,
      endsAt: null,
      ageSeconds: null,
      refreshesToday: 0,
      forcedToday: 0,
    });
    expect(await portalJson([...argv, '--refresh'])).toMatchObject({ refreshesToday: 2, forcedToday: 1 });
    const shown = await portal(argv);
    expect(shown.stdout).toContain('forced today');
    expect(await portal([...argv, '--refresh'])).toMatchObject({ code: 1, stderr: expect.stringContaining('30 s') });
    expect(await dumpRedis(stack.redis)).toContain('wechat-token');
    expect(Math.max(...shown.stdout.split(/\s+/).map(({ length }) => length))).toBeLessThan(100);
  });

  test('refuses a mini-program that is not known here', async () => {
    const run = await portal(['wechat', 'token', '--wechat-appid', 'wxnobody']);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('set it with "app wechat"') });
  });
});
