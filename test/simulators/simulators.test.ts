import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { startChannelSimulator } from '../../local/simulators/channel.ts';
import { startLoopbackServer } from '../../local/simulators/loopback-server.ts';
import { startPluginServer } from '../../local/simulators/plugin-server.ts';
import { startWechatSimulator, type WechatSimulatorOptions } from '../../local/simulators/wechat/index.ts';
import { event, newToken, SECRET, signed } from '../support/plugin-push.ts';

const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

async function keep<T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  running.push(server);
  return server;
}

/** Starts a simulator as its own process. Its first line is `ready <url>`. */
async function startProcess(script: string, ...args: string[]) {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  running.push({
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  });
  if (child.stdout === null) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) {
    return { url: line.replace('ready ', ''), child, ended };
  }
  throw new Error('ended without a line');
}

describe('the WeChat simulator', () => {
  const app = { appid: 'wx1234567890abcdef', secret: 'an-app-secret' };

  async function wechat(options: Partial<WechatSimulatorOptions> = {}) {
    const simulator = await keep(startWechatSimulator({ ...app, ...options }));
    const exchange = async (code: string, changed: Record<string, string> = {}) => {
      const query = new URLSearchParams({ ...app, js_code: code, grant_type: 'authorization_code', ...changed });
      const response = await fetch(`${simulator.url}/sns/jscode2session?${query}`);
      expect(response.status).toBe(200);
      return (await response.json()) as { errcode?: number; errmsg?: string; openid?: string; session_key?: string };
    };
    return { ...simulator, exchange };
  }

  it('exchanges a code once, for an openid and a session key of 16 bytes', async () => {
    const { issueCode, exchange } = await wechat();
    const code = issueCode();
    const session = await exchange(code);
    expect(Object.keys(session).sort()).toEqual(['openid', 'session_key']);
    expect(session.openid).toMatch(/^o[A-Za-z0-9_-]{27}$/);
    expect(Buffer.from(session.session_key ?? '', 'base64')).toHaveLength(16);
    expect(await exchange(code)).toEqual({ errcode: 40163, errmsg: expect.stringMatching(/^code been used, rid: /) });
  });

  it('gives the session to one of many simultaneous exchanges of a code', async () => {
    const { issueCode, exchange } = await wechat();
    const code = issueCode();
    const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(code)));
    expect(answers.filter(({ openid }) => openid !== undefined)).toHaveLength(1);
  });

  it('refuses like the real WeChat, and a refusal does not use the code up', async () => {
    const { issueCode, exchange, failNext, calls } = await wechat();
    const code = issueCode('o-a-person');
    failNext(-1, 45011);
    const changes = [
      {},
      {},
      { appid: 'wx0' },
      { secret: 'wrong' },
      { grant_type: 'x' },
      { js_code: '' },
      { secret: '' },
    ];
    const answers: unknown[] = [];
    for (const changed of changes) answers.push((await exchange(code, changed)).errcode);
    expect(answers).toEqual([-1, 45011, 40013, 40125, 40002, 41008, 41004]);
    expect((await exchange('never-issued')).errcode).toBe(40029);
    expect((await exchange(code)).openid).toBe('o-a-person');
    expect(calls()).toBe(9);
  });

  it('refuses a code after five minutes', async () => {
    const clock = { ms: 0 };
    const { issueCode, exchange } = await wechat({ now: () => clock.ms });
    const code = issueCode();
    clock.ms += 300_000;
    expect((await exchange(code)).errcode).toBe(40029);
  });

  it('accepts each dev code once if they are allowed, and one name is always the same user', async () => {
    const { exchange } = await wechat({ devCodes: true, unionid: true });
    const [first, second, other] = [
      await exchange('dev-ada-1'),
      await exchange('dev-ada-2'),
      await exchange('dev-bob-1'),
    ];
    expect(second).toEqual({ ...first, session_key: second.session_key });
    expect(other.openid).not.toBe(first.openid);
    expect((await exchange('dev-ada-1')).errcode).toBe(40163);
    const closed = await wechat();
    expect((await closed.exchange('dev-ada-1')).errcode).toBe(40029);
  });

  it('runs as its own process, issues codes and ends on SIGTERM', async () => {
    const args = ['--appid', app.appid, '--secret', app.secret];
    const { url, child, ended } = await startProcess('local/simulators/wechat/main.ts', ...args);
    const minted = await fetch(`${url}/codes?openid=o-ada`, { method: 'POST' });
    const { code } = (await minted.json()) as { code: string };
    const query = new URLSearchParams({ ...app, js_code: code, grant_type: 'authorization_code' });
    const session = await (await fetch(`${url}/sns/jscode2session?${query}`)).json();
    expect(session).toMatchObject({ openid: 'o-ada' });
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
});

describe('the channel simulator', () => {
  async function channel() {
    const simulator = await keep(startChannelSimulator({ channel: 'arcade' }));
    const verify = (question: Record<string, unknown>, signal: AbortSignal | null = null) =>
      fetch(simulator.url, { method: 'POST', body: JSON.stringify(question), signal });
    return { ...simulator, verify };
  }

  it('confirms a ticket only for its user and channel, any number of times', async () => {
    const { issueTicket, verify, received } = await channel();
    const good = { channel: 'arcade', channelUserId: '1001', ticket: issueTicket('1001') };
    const questions = [
      good,
      good,
      { ...good, channelUserId: '1002' },
      { ...good, channel: 'x' },
      { ...good, ticket: 'x' },
    ];
    const answers: unknown[] = [];
    for (const question of questions) answers.push(await (await verify(question)).json());
    expect(answers).toEqual([true, true, false, false, false].map((ok) => ({ ok })));
    expect(received).toHaveLength(5);
  });

  it('can be told to give other answers, no answer or a lost answer', async () => {
    const { issueTicket, verify, misbehave, received } = await channel();
    const good = { channel: 'arcade', channelUserId: '1001', ticket: issueTicket('1001') };
    misbehave({ kind: 'answer', status: 500, body: '<html>' });
    const garbage = await verify(good);
    expect([garbage.status, await garbage.text()]).toEqual([500, '<html>']);
    misbehave({ kind: 'refuse' });
    await expect(verify(good)).rejects.toThrow();
    misbehave({ kind: 'hang' });
    await expect(verify(good, AbortSignal.timeout(100))).rejects.toThrow(/timeout/);
    expect(received).toHaveLength(0);
    misbehave({ kind: 'lose-ack' });
    await expect(verify(good)).rejects.toThrow();
    expect(received).toHaveLength(1);
    misbehave({ kind: 'delay', ms: 1 });
    expect(await (await verify(good)).json()).toEqual({ ok: true });
  });
});

describe('the plugin server simulator', () => {
  const token = newToken();

  function push(url: string, kind: 'issued' | 'revoked', pluginId = 'weather') {
    const body = event(kind, token, { pluginId, expiresAt: new Date(Date.now() + 600_000).toISOString() });
    return fetch(url, { method: 'POST', body, headers: signed(body, { atMs: Date.now() }) });
  }

  const serve = (url: string, pluginToken: string) =>
    fetch(`${url}/service`, { headers: { 'plugin-token': pluginToken } });

  it('serves the user of a pushed token and nobody else', async () => {
    const args = ['--plugin', 'weather', '--secret', SECRET];
    const { url } = await startProcess('local/simulators/plugin-server.ts', ...args);
    const pushUrl = `${url}/push`;
    expect((await serve(url, token)).status).toBe(401);
    expect((await push(pushUrl, 'issued')).status).toBe(200);
    const served = await serve(url, token);
    expect(served.status).toBe(200);
    expect(await served.json()).toMatchObject({ pluginId: 'weather', userId: 'user-1', visit: 1 });
    expect((await serve(url, token.replace('p1.', 's1.'))).status).toBe(401);
    expect((await push(pushUrl, 'revoked')).status).toBe(200);
    expect((await serve(url, token)).status).toBe(401);
  });

  it('shows the pushes that it received, and can lose the answer to a push that it stored', async () => {
    const plugin = await keep(startPluginServer({ pluginId: 'weather', pushSecrets: [SECRET] }));
    plugin.misbehave({ kind: 'lose-ack' });
    await expect(push(plugin.pushUrl, 'issued')).rejects.toThrow();
    plugin.misbehave(null);
    expect((await push(plugin.pushUrl, 'issued', 'maps')).status).toBe(403);
    expect(plugin.received.map(({ status }) => status)).toEqual([200, 403]);
    expect((await serve(plugin.url, token)).status).toBe(200);
  });

  it('asks its backend about a token without a push, in a call signed as its own app', async () => {
    const asked: unknown[] = [];
    const backend = await keep(
      startLoopbackServer(({ method, path, headers, body }) => {
        const { AppID } = JSON.parse(Buffer.from(String(headers['access-token']), 'base64').toString());
        asked.push({ call: `${method} ${path}`, AppID, body: JSON.parse(body.toString()) });
        const expiresAt = new Date(Date.now() + 600_000).toISOString();
        return { status: 200, body: { active: true, userId: 'user-1', pluginId: 'weather', expiresAt } };
      }),
    );
    const own = ['--backend', backend.url, '--app-id', 'weather-app', '--private-key', randomBytes(32).toString('hex')];
    const args = ['--plugin', 'weather', '--secret', SECRET, ...own];
    const { url } = await startProcess('local/simulators/plugin-server.ts', ...args);
    expect((await serve(url, token)).status).toBe(200);
    expect((await serve(url, token)).status).toBe(200);
    const call = 'POST /plugins/weather/validate';
    expect(asked).toEqual([{ call, AppID: 'weather-app', body: { pluginToken: token } }]);
  });

  it('answers 503, not 401, while the business backend does not answer', async () => {
    const validate = () => Promise.reject(new Error('no answer'));
    const plugin = await keep(startPluginServer({ pluginId: 'weather', pushSecrets: [SECRET], validate }));
    expect((await serve(plugin.url, token)).status).toBe(503);
  });
});
