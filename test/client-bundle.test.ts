import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { app } from './client-server.ts';

/** What a mini-program's build makes of the SDK. */
async function bundle(minify: boolean): Promise<string> {
  const result = await build({
    entryPoints: [new URL('../client/miniapp-client.ts', import.meta.url).pathname],
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
  it('is below 20 KB and asks for no module', async () => {
    const code = await bundle(true);
    expect(code.length).toBeLessThan(20_000);
    expect(code).not.toMatch(/node:|require\(|import\(/);
  });

  it('names no API of Node or the DOM but a guarded crypto and the timer', async () => {
    const code = await bundle(false);
    expect(code).not.toMatch(/\b(Buffer|process|TextEncoder|TextDecoder|URL|URLSearchParams|btoa|atob|subtle)\b/);
    expect(code).not.toMatch(/\b(globalThis|window|document|localStorage|XMLHttpRequest|AbortController)\b/);
  });

  it('runs where there is nothing but the language and wx', async () => {
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

  it('says so where the platform has no random source', async () => {
    const code = `${await bundle(false)}
      sdk.createClient({ ...app, baseUrl: 'https://api.example.com', transport: sdk.wxTransport({}) });`;
    expect(() => runInNewContext(code, { app })).toThrow('pass `random`');
  });
});
