import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { installAnchors } from './engines.ts';

/** Libraries to compare the access_token with. */
export async function jwtLibraries() {
  installAnchors();
  const jose = await import('jose');
  const { JwtVerifier } = await import('aws-jwt-verify');
  return { jose, JwtVerifier };
}

export type Deployed = typeof import('./deployed-auth.ts');

/** Our code as it is deployed, bundled and minified, without the cost that tsx adds. */
export async function asDeployed(): Promise<Deployed> {
  for (const name of ['MASTER_KEY', 'SIGNING_KEY', 'SIGNING_KEY_OLD']) {
    process.env[name] ??= randomBytes(32).toString('hex');
  }
  const folder = mkdtempSync(join(tmpdir(), 'bench-auth-'));
  try {
    const outfile = join(folder, 'auth.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'deployed-auth.ts')],
      outfile,
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
    });
    return (await import(outfile)) as Deployed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
