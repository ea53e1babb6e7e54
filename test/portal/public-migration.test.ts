import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { portalJson } from '../support/portal-command.ts';
import type { SignedSession } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

const FORBIDDEN = '{"message":"Forbidden"}';
const path = '/data/notice/1';

let stack: TestStack;
/** A mini-program that has shipped with a key. */
let shipped: TestApp;
let world: PublicWorld;
const lines: string[] = [];
beforeAll(async () => {
  stack = await startTestStack({ seeded: true, env: { LOG: 'on' } });
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)));
});
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  shipped = await portalJson(['app', 'create', '--name', 'shipped']);
  world = await publicWorld(stack, shipped.appId);
});
afterEach(() => {
  vi.useRealTimers();
});
const minutes = (count: number): void => {
  vi.setSystemTime(Date.now() + count * 61_000);
};

const oldLogin = (person: string) =>
  stack.call(shipped, 'POST', '/login/wechat', { body: { code: stack.wechat.issueCode(person) } });
const oldRead = (signature: 'v1' | 'v2' = 'v2') => stack.call(shipped, 'GET', path, { signature });
const makePublic = (...options: string[]) => portalJson(['app', 'public', '--app', shipped.appId, ...options]);

test('a shipped app answers to its key and to names and sessions, until --only', async () => {
  const person = world.newPerson();
  const old = await oldLogin(person);
  expect([old.status, typeof old.body.token]).toEqual([200, 'string']);
  expect((await world.login(person)).text).toBe(FORBIDDEN);

  await makePublic('--open', 'wechat');
  minutes(1);
  const next = await world.logIn(person);
  expect(next.session.split('.')[0], 'the same user').toBe(old.body.user.userId);
  const me = { session: old.body.token };
  expect((await stack.call(shipped, 'GET', '/me', me)).status).toBe(200);
  expect(await world.stateOf(next)).toBe('alive');
  // A key still gets a bearer token, and no route makes a signing key of a bearer token.
  expect(Object.keys((await oldLogin(person)).body)).toContain('token');
  const named = await world.call(undefined, 'GET', '/me', { headers: { authorization: `Bearer ${me.session}` } });
  expect(named.body.code).toBe('LOGIN_REQUIRED');

  await makePublic('--only');
  expect((await oldLogin(person)).text, 'calls that change something: at once').toBe(FORBIDDEN);
  minutes(1);
  for (const signature of ['v1', 'v2'] as const) expect((await oldRead(signature)).text).toBe(FORBIDDEN);
  expect((await stack.call(shipped, 'GET', '/me', me)).text).toBe(FORBIDDEN);
  expect(await world.stateOf(next)).toBe('alive');
});

test('--off ends named calls and sessions: writes at once, reads within a minute; the key stays valid', async () => {
  await makePublic('--open', 'wechat,data');
  minutes(1);
  const session = await world.logIn();
  expect([await world.stateOf(session), (await world.call(undefined, 'GET', path)).status]).toEqual(['alive', 200]);
  await makePublic('--off');
  const write = (signer?: SignedSession) => world.call(signer, 'POST', '/login/wechat', { body: { code: 'a-code' } });
  expect([(await write()).text, (await write(session)).text]).toEqual([FORBIDDEN, FORBIDDEN]);
  minutes(1);
  expect((await world.call(session, 'GET', '/me')).text).toBe(FORBIDDEN);
  expect((await world.call(undefined, 'GET', path)).text).toBe(FORBIDDEN);
  expect((await oldRead()).status).toBe(200);
  // Opened again, the session is valid: it was never ended.
  await makePublic('--open', 'wechat');
  minutes(1);
  expect(await world.stateOf(session)).toBe('alive');
});

test('what is shut is refused within a minute, and sessions continue without it', async () => {
  await makePublic('--open', 'wechat,data');
  minutes(1);
  const session = await world.logIn();
  await makePublic('--open', 'wechat');
  minutes(1);
  expect((await world.call(undefined, 'GET', path)).body.code).toBe('LOGIN_REQUIRED');
  expect((await world.call(session, 'GET', path)).status).toBe(200);
});

test('a disabled app is refused on both sides, and its sessions with it', async () => {
  await makePublic('--open', 'wechat');
  minutes(1);
  const session = await world.logIn();
  await portalJson(['app', 'disable', '--app', shipped.appId]);
  expect((await world.call(session, 'POST', '/logout', { body: {} })).text).toBe(FORBIDDEN);
  minutes(1);
  expect((await world.call(session, 'GET', '/me')).text).toBe(FORBIDDEN);
  expect((await oldRead()).text).toBe(FORBIDDEN);
});

test('the log lines of the authorizer show when the last call with a key came', async () => {
  await makePublic('--open', 'wechat');
  minutes(1);
  const session = await world.logIn();
  lines.length = 0;
  await oldRead('v1');
  await oldRead('v2');
  await world.stateOf(session);
  await world.call(undefined, 'GET', path);
  await stack.call({ ...shipped, privateKey: 'not the key' }, 'GET', path);
  const found = lines
    .map((line) => JSON.parse(line))
    .filter(({ step }) => step === 'authorizer')
    .map(({ app, proof, status }) => [app === shipped.appId, proof, status]);
  expect(found).toEqual([
    [true, 'v1', 200],
    [true, 'v2', 200],
    [true, 'session', 200],
    [true, 'named', 200],
    [true, 'none', 403],
  ]);
});
