import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

/** What the access_token is measured beside: installed into this folder by the first run that needs it. */
const ANCHORS = ['jose', 'aws-jwt-verify'];

export async function installAnchors() {
  const missing = ANCHORS.filter((name) => !existsSync(join(import.meta.dirname, 'node_modules', name)));
  if (missing.length > 0) {
    console.error(`installing ${missing.join(', ')} into bench/node_modules`);
    const options = { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' } as const;
    const { status, stderr } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], options);
    if (status !== 0) throw new Error(`npm install in bench/ failed: ${stderr.slice(-300)}`);
  }
  const [jose, awsJwtVerify]: [Jose, AwsJwtVerify] = await Promise.all(
    ANCHORS.map((name) => import(name)) as [Promise<Jose>, Promise<AwsJwtVerify>],
  );
  return { jose, JwtVerifier: awsJwtVerify.JwtVerifier };
}

export type Deployed = typeof import('../shared/app/access-token.ts') & typeof import('../shared/master-key.ts');

/** Our side as it is deployed, bundled and minified: what tsx adds to source files is none of a function's cost. */
export async function asDeployed(): Promise<Deployed> {
  process.env.MASTER_KEY ??= randomBytes(32).toString('hex');
  const folder = mkdtempSync(join(tmpdir(), 'bench-auth-'));
  try {
    const outfile = join(folder, 'auth.mjs');
    const contents = "export * from './shared/access-token.ts'; export * from './shared/master-key.ts';";
    await build({
      stdin: { contents, resolveDir: join(import.meta.dirname, '..') },
      ...{ outfile, bundle: true, minify: true, format: 'esm', platform: 'node', target: 'node20' },
    });
    return (await import(outfile)) as Deployed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of the packages no more than is called here: they are no dependencies of the project, so their types are not there. */
interface Jose {
  SignJWT: new (claims: object) => JwtBuilder;
  jwtVerify(token: string, key: unknown): Promise<unknown>;
  exportJWK(key: unknown): Promise<Record<string, unknown>>;
}
interface JwtBuilder {
  setProtectedHeader(header: object): this;
  setIssuer(issuer: string): this;
  setAudience(audience: string): this;
  setExpirationTime(time: string): this;
  sign(key: unknown): Promise<string>;
}
interface AwsJwtVerify {
  JwtVerifier: {
    create(options: object): { cacheJwks(keys: object): void; verifySync(token: string): unknown };
  };
}
