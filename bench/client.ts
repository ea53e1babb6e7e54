import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * What a signature costs a phone: version 2 derives a key for each call, version 3 uses the session's. Without a JIT
 * compiler too, as JavaScriptCore runs mini-programs on iOS.
 */
export const suite = { name: 'client', about: 'signatures of the SDK, with and without a JIT compiler', run };

const PROGRAM = `
import { signV2 } from './client/sign.ts';
import { namedToken, signV3 } from './client/session-token.ts';
const call = { appId: '6f1c1f0e-5d0b-4c57-9a55-0c6a6e0d7b21', timeStamp: '1767225600', nonce: '4f9d2c7be01a8356c4d1e2f3a4b5c6d7',
  httpMethod: 'POST', path: '/balance/spend', query: '', body: '{"amount":100,"reason":"a hat"}' };
const session = { session: 'Qm5kX2b7TtY0aL9wVz3R1g.Zx8-Yw3_Vu6tSr1QpOnMlA', key: 'fyB7lp1pmn6VTklU0OsQTt9GZcfihdW5AorasjP8Y3Q' };
const cases = {
  'v2': () => signV2({ ...call, privateKey: 'x'.repeat(43) }),
  'v3': () => signV3({ ...call, ...session, idempotencyKey: '9c1f7e2ab84d40d6a5e37c0b1f2d4e68' }),
  'named': () => namedToken(call.appId),
};
const took = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round++)
  for (const [name, sign] of Object.entries(cases)) {
    const start = process.hrtime.bigint();
    sign();
    if (round >= ROUNDS / 4) took[name].push(Number(process.hrtime.bigint() - start));
  }
console.log(JSON.stringify(took));
`;

async function run(): Promise<object> {
  const folder = mkdtempSync(join(tmpdir(), 'miniapp-bench-client-'));
  try {
    return {
      node: process.version,
      signatures: [...(await timed(folder, [], 8000)), ...(await timed(folder, ['--jitless'], 800))],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timed(folder: string, flags: string[], rounds: number): Promise<object[]> {
  const outfile = join(folder, `signatures${flags.join('')}.mjs`);
  const stdin = { contents: PROGRAM.replaceAll('ROUNDS', String(rounds)), resolveDir: process.cwd() };
  await build({ stdin, bundle: true, format: 'esm', platform: 'node', minify: true, outfile });
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, outfile], { encoding: 'utf8' });
  if (stdout === '') throw new Error(`the bench of the client failed: ${stderr.slice(0, 300)}`);
  const took = JSON.parse(stdout) as Record<string, number[]>;
  return Object.entries(took).map(([what, nanos]) => {
    const sorted = nanos.sort((a, b) => a - b);
    const at = (q: number): number => Math.round((sorted[Math.floor(q * (sorted.length - 1))] ?? 0) / 100) / 10;
    return { what, jit: flags.length === 0, p50Micros: at(0.5), p99Micros: at(0.99) };
  });
}
