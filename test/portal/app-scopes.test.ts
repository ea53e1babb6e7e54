import { randomUUID } from 'node:crypto';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { SCOPES } from '../../shared/app/app.ts';
import { portalHere as portal, portalJson } from '../support/portal-command.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
});

test('an app that was made before a scope existed is given it, and loses it again', async () => {
  const app = await stack.createApp({ scopes: ['data:read'] });
  const sessions = sessionsOf(stack, app);
  const [userId = ''] = await sessions.newUsers(1);
  const session = (await sessions.openAt(userId)).token;
  const create = () =>
    stack.call(app, 'POST', '/data/booking', {
      ...{ body: { serviceId: '1', day: '2030-05-01' }, session, headers: { 'idempotency-key': randomUUID() } },
    });
  expect((await create()).body.code).toBe('SCOPE_DENIED');
  const scopes = (...options: string[]) => portalJson(['app', 'scopes', '--app', app.appId, ...options]);
  expect(await scopes('--add', 'data:own,data:read')).toEqual({ appId: app.appId, scopes: ['data:read', 'data:own'] });
  // A running authorizer asks for the app again after a minute.
  vi.setSystemTime(Date.now() + 60_001);
  onTestFinished(() => void vi.useRealTimers());
  expect((await create()).status).toBe(201);
  expect((await scopes('--remove', 'data:own,login')).scopes).toEqual(['data:read']);
  expect((await scopes()).scopes).toEqual(['data:read']);
  const [rows] = await stack.mysql.query("SELECT detail FROM audit_log WHERE action = 'app.scopes' ORDER BY id");
  expect((rows as Array<{ detail: object }>).map(({ detail }) => JSON.parse(JSON.stringify(detail)))).toHaveLength(2);
});

test('wrong changes are refused with a sentence and change nothing', async () => {
  const app = await stack.createApp({ scopes: ['login', 'data:read'] });
  const { appId } = await portalJson(['app', 'create', '--name', 'shop', '--public', '--open', 'data']);
  const scopesOf = async (of: string) => (await portalJson(['app', 'scopes', '--app', of])).scopes;
  const before = [await scopesOf(app.appId), await scopesOf(appId)];
  const refusals: Array<[argv: string[], code: number, sentence: string]> = [
    [['--app', appId, '--add', 'data:write'], 1, 'only servers may have data:write'],
    [['--app', appId, '--remove', 'data:read'], 1, 'needs data:read: shut it first'],
    [['--app', app.appId, '--add', 'login', '--remove', 'login'], 2, '--add and --remove both name login'],
    [['--app', app.appId, '--add', 'everything'], 2, 'everything'],
    [['--app', 'mp_unknown', '--add', 'login'], 1, 'There is no app'],
  ];
  for (const [argv, code, sentence] of refusals) {
    expect(await portal(['app', 'scopes', ...argv, '--yes'])).toMatchObject({
      code,
      stderr: expect.stringContaining(sentence),
    });
  }
  expect([await scopesOf(app.appId), await scopesOf(appId)]).toEqual(before);
});

test('a public app never has a scope of wallets: not by create, by --add, or by becoming public', async () => {
  const ofWallets = SCOPES.filter((scope) => scope.startsWith('wallet:'));
  expect(ofWallets).toEqual(['wallet:read', 'wallet:write', 'wallet:grant']);
  const publicApp = await portalJson(['app', 'create', '--name', 'shop', '--public']);
  const before = (await portalJson(['app', 'scopes', '--app', publicApp.appId])).scopes;
  for (const scope of ofWallets) {
    const created = await portal(['app', 'create', '--name', 'x', '--public', '--scopes', `data:read,${scope}`]);
    expect(created).toMatchObject({ code: 2, stderr: expect.stringContaining(scope) });
    const added = await portal(['app', 'scopes', '--app', publicApp.appId, '--add', scope, '--yes']);
    expect(added).toMatchObject({ code: 1, stderr: expect.stringContaining(`only servers may have ${scope}`) });
    const server = await portalJson(['app', 'create', '--name', 'server', '--scopes', scope]);
    for (const argv of [[], ['--open', 'data,password']]) {
      const opened = await portal(['app', 'public', '--app', server.appId, ...argv, '--yes']);
      expect(opened).toMatchObject({ code: 1, stderr: expect.stringContaining('which only servers may have') });
    }
    expect((await portalJson(['app', 'show', '--app', server.appId])).kind).toBe('server');
  }
  expect((await portalJson(['app', 'scopes', '--app', publicApp.appId])).scopes).toEqual(before);
  const [rows] = await stack.mysql.query(
    "SELECT app_id FROM apps WHERE scopes LIKE '%wallet:%' AND methods LIKE '%SESSION%'",
  );
  expect(rows).toEqual([]);
});

test('a server that acts for another app does not become public, and stays when that app is disabled', async () => {
  const shop = await portalJson(['app', 'create', '--name', 'shop', '--public']);
  const server = await portalJson(['app', 'create', '--name', 'helper', '--for', shop.appId]);
  const opened = await portal(['app', 'public', '--app', server.appId]);
  expect(opened).toMatchObject({ code: 1, stderr: expect.stringContaining(`acts for app ${shop.appId}`) });
  expect((await portalJson(['app', 'show', '--app', server.appId])).kind).toBe('server');
  const disabled = await portal(['app', 'disable', '--app', shop.appId]);
  expect(disabled.stderr).toContain(`App ${server.appId} (helper) acts for it and stays`);
});
