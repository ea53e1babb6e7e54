import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { app } from '../support/client-server.ts';
import { wxStandIn } from '../support/client-wx.ts';
import { APP_ID, startSessionServer, userId } from '../support/session-server.ts';

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const entry = file('../../client/miniapp-client.ts');

/** The SDK as the build of a mini-program bundles it. */
async function bundle(minify: boolean): Promise<string> {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'neutral',
    target: 'es2018',
    format: 'iife',
    globalName: 'sdk',
    minify,
    write: false,
  });
  return result.outputFiles[0]?.text ?? '';
}

describe('the SDK in a mini-program', () => {
  it('is below 26 KB, below 10 KB when it is compressed, and needs no module', async () => {
    const code = await bundle(true);
    expect(code.length).toBeLessThan(26_000);
    expect(gzipSync(code).length).toBeLessThan(10_000);
    expect(code).not.toMatch(/node:|require\(|import\(/);
  });

  it('compiles with the ECMAScript 2018 library only, without types of Node or the DOM', () => {
    const options = ['--noEmit', '--ignoreConfig', '--strict', '--allowImportingTsExtensions', '--skipLibCheck'];
    const platform = ['--lib', 'ES2018', '--target', 'ES2018', '--module', 'esnext', '--types', ''];
    const tsc = file('../../node_modules/.bin/tsc');
    const run = spawnSync(tsc, [...options, ...platform, '--moduleResolution', 'bundler', entry], { encoding: 'utf8' });
    expect(run.stdout).toBe('');
    expect(run.status).toBe(0);
  }, 120_000);

  it('runs without any global object but wx', async () => {
    const sent: { url: string; header: Record<string, string>; data?: string }[] = [];
    const wx = {
      getStorageSync: () => '',
      setStorageSync: () => undefined,
      removeStorageSync: () => undefined,
      getRandomValues: ({ success }: { success(result: object): void }) =>
        success({ randomValues: Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i).buffer }),
      request: (options: { url: string; header: Record<string, string>; success(result: object): void }) => {
        sent.push(options);
        options.success({ statusCode: 200, data: '{"token":"s1.u.s"}', header: {} });
      },
    };
    const code = `${await bundle(false)}
      const client = sdk.createClient({ ...app, baseUrl: 'https://api.example.com/', transport: sdk.wxTransport(wx) });
      client.login({ account: 'demo', password: '密码' });`;
    await runInNewContext(code, { wx, app });
    expect(sent[0]?.url).toBe('https://api.example.com/login');
    expect(sent[0]?.data).toBe('{"account":"demo","password":"密码"}');
    expect(sent[0]?.header['access-token']).toMatch(/^[A-Za-z0-9+/]+=*$/);
  });

  it('logs in and signs as a public app without any global object but wx', async () => {
    const server = await startSessionServer();
    server.now = Date.now();
    const code = `${await bundle(false)}
      const client = sdk.createClient({ appId, baseUrl, transport: sdk.wxTransport(wx), silentCode: sdk.wxLogin(wx) });
      client.me();`;
    const user = await runInNewContext(code, { wx: wxStandIn(), appId: APP_ID, baseUrl: server.url });
    expect(user.userId).toBe(userId('wechat-user'));
    expect(server.routes()).toEqual(['POST /login/wechat named', 'GET /me session']);
    await server.close();
  });

  it('reads pages of a list where the platform has no async iteration, whose syntax it never uses', async () => {
    const server = await startSessionServer();
    server.instead = ({ query }) => ({ status: 200, body: { items: [{ id: query }] } });
    expect(await bundle(true)).not.toMatch(/async\s*\*|async function\s*\*|for await/);
    const old = `Symbol = { iterator: Symbol.iterator };
      ${await bundle(false)}
      const client = sdk.createClient({ ...app, baseUrl, transport: sdk.wxTransport(wx) });
      client.list('notice', 'newest', { limit: 20 }).page('c');`;
    const page = await runInNewContext(old, { wx: wxStandIn(), app, baseUrl: server.url });
    expect(JSON.stringify(page)).toBe('{"items":[{"id":"after=c&limit=20&list=newest"}]}');
    await server.close();
  });

  it('throws an error that names `random` when the platform has no random source', async () => {
    const code = `${await bundle(false)}
      sdk.createClient({ ...app, baseUrl: 'https://api.example.com', transport: sdk.wxTransport({}) });`;
    expect(() => runInNewContext(code, { app })).toThrow('pass `random`');
  });
});
