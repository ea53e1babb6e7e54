import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { wxStandIn } from '../support/client-wx.ts';
import { APP_ID, startSessionServer } from '../support/session-server.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const examples = at('../../docs/signing');
const vectors = JSON.parse(readFileSync(at('../support/vectors/access-token.json'), 'utf8'));
const workDir = mkdtempSync(join(tmpdir(), 'signing-examples-'));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

// Without a UTF-8 locale some runtimes cannot read 订单 from their arguments.
const env = { ...process.env, LC_ALL: 'C.UTF-8', DOTNET_CLI_TELEMETRY_OPTOUT: '1' };
const isHere = (command: string, ...version: string[]): boolean => spawnSync(command, version, { env }).status === 0;

interface Language {
  name: string;
  here: boolean;
  /** Compiles if the language needs it, and returns the command that takes the arguments. */
  prepare(): string[];
}
function compiled(command: string[], run: string[]): string[] {
  const [program, ...args] = command;
  const done = spawnSync(program as string, args, { env });
  if (done.status !== 0) throw new Error(`${done.stdout}${done.stderr}`);
  return run;
}
const go = join(workDir, 'sign-go');
const exe = join(workDir, 'sign.exe');
const languages: Language[] = [
  { name: 'Node', here: true, prepare: () => [process.execPath, join(examples, 'sign.mjs')] },
  { name: 'Python', here: isHere('python3', '--version'), prepare: () => ['python3', join(examples, 'sign.py')] },
  { name: 'PHP', here: isHere('php', '--version'), prepare: () => ['php', join(examples, 'sign.php')] },
  {
    name: 'Java',
    here: isHere('javac', '-version') && isHere('java', '-version'),
    prepare: () => compiled(['javac', '-d', workDir, join(examples, 'Sign.java')], ['java', '-cp', workDir, 'Sign']),
  },
  {
    name: 'Go',
    here: isHere('go', 'version'),
    prepare: () => compiled(['go', 'build', '-o', go, join(examples, 'sign.go')], [go]),
  },
  {
    name: 'C# (Mono)',
    here: isHere('mcs', '--version') && isHere('mono', '--version'),
    prepare: () => compiled(['mcs', `-out:${exe}`, join(examples, 'Sign.cs')], ['mono', exe]),
  },
];

const { AppID, privateKey, timeStamp, nonce } = vectors;
const token = (signatureMethod: string, signature: string): string =>
  Buffer.from(JSON.stringify({ signatureMethod, AppID, timeStamp, nonce, signature })).toString('base64');
const known = [
  ...vectors.v1.map((vector: { signatureMethod: string; token: string }) => ({
    args: ['v1', vector.signatureMethod, AppID, privateKey, timeStamp, nonce],
    token: vector.token,
  })),
  ...vectors.v2.map((vector: Record<'method' | 'path' | 'query' | 'body' | 'signature', string>) => ({
    args: ['v2', AppID, privateKey, timeStamp, nonce, vector.method, vector.path, vector.query, vector.body],
    token: token('HMAC-SHA256', vector.signature),
  })),
] as { args: string[]; token: string }[];

describe('the signing examples', () => {
  it.each(languages.filter(({ here }) => here))(
    'in $name print the tokens of the published test vectors',
    async ({ prepare }) => {
      const [command, ...before] = prepare();
      const printed: string[] = [];
      for (const { args } of known)
        printed.push((await promisify(execFile)(command as string, [...before, ...args], { env })).stdout.trim());
      expect(printed).toEqual(known.map((answer) => answer.token));
    },
    180_000,
  );

  it('are all listed in docs/signing.md', () => {
    const page = readFileSync(at('../../docs/signing.md'), 'utf8');
    for (const file of readdirSync(examples)) expect(page).toContain(`(signing/${file})`);
  });
});

describe('the mini-program example', () => {
  it('holds no key, logs in with a code, reads and pays, and signs by the session', async () => {
    const { outputFiles } = await build({
      entryPoints: [at('../../client/miniapp-client.ts')],
      bundle: true,
      platform: 'neutral',
      target: 'es2018',
      format: 'cjs',
      write: false,
    });
    const server = await startSessionServer();
    const wx = { ...wxStandIn(), requestPayment: (options: { success(): void }) => options.success() };
    const load = (code: string, require?: (name: string) => unknown): unknown => {
      const module = { exports: {} };
      runInNewContext(code, { wx, module, require, setTimeout });
      return module.exports;
    };
    const sdk = load(outputFiles?.[0]?.text ?? '');
    const config = { appId: APP_ID, baseUrl: server.url };
    server.now = Date.now();
    const page = load(readFileSync(join(examples, 'miniprogram.js'), 'utf8'), (name) =>
      name === './sdk.js' ? sdk : config,
    ) as { readNotice(id: number): Promise<unknown>; buy(productId: string): Promise<boolean> };

    await page.readNotice(1);
    expect(await page.buy('coins-100')).toBe(true);
    expect(server.routes()).toEqual([
      'POST /login/wechat named',
      'GET /data/notice/1 session',
      'POST /recharge session',
      'POST /recharge/o1/sync session',
    ]);
    await server.close();
  });
});
