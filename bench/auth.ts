import { spawnSync } from 'node:child_process';
import { createHmac, generateKeyPairSync, randomBytes, randomInt } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { bodySha256, signV1, signV2 } from '../client/sign.ts';
import { hashPassword, verifyPassword } from '../shared/account/password.ts';
import type { AccessToken, SignatureMethod } from '../shared/app/access-token.ts';
import type { SignedRequest, SigningKey } from '../shared/app/signature.ts';
import { asDeployed, type Deployed, jwtLibraries } from './auth-anchors.ts';

/**
 * The cost of authentication: the access_token compared with jose and aws-jwt-verify, the parser under hostile input, a
 * password hash, and the import of a function. All verifications run in random order in one process.
 */
export const suite = { name: 'auth', about: 'access_token compared with JWT libraries, passwords, cold imports', run };

const WARM_UP = 2_000;
const TIMED = 20_000;
const ROUNDS = 3;
const BLOCK = 50;

interface Timing {
  what: string;
  p50Micros: number;
  p99Micros: number;
}

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.floor(q * (sorted.length - 1))] ?? 0;
const median = (numbers: readonly number[]): number =>
  quantile(
    [...numbers].sort((a, b) => a - b),
    0.5,
  );
const micros = (nanos: number): number => Math.round(nanos / 10) / 100;

type Case = () => unknown;

/**
 * Runs blocks of one case in random order, so that other work of the machine affects all cases equally. Blocks, because
 * a warm authorizer runs only its own code, which stays in the processor's caches.
 */
async function interleaved(cases: Record<string, Case>, warmUp: number, timed: number): Promise<Timing[]> {
  const names = Object.keys(cases);
  const rounds: Array<Map<string, number[]>> = [];
  for (let round = 0; round < ROUNDS; round++) {
    const nanos = new Map(names.map((name): [string, number[]] => [name, []]));
    const blocks = (names.length * (warmUp + timed)) / BLOCK;
    for (let block = 0; block < blocks; block++) {
      const name = names[randomInt(names.length)] ?? '';
      const took = await timedBlock(cases[name] as Case);
      if (block >= (names.length * warmUp) / BLOCK) nanos.get(name)?.push(...took);
    }
    for (const list of nanos.values()) list.sort((a, b) => a - b);
    rounds.push(nanos);
  }
  return names.map((what) => ({
    what,
    p50Micros: micros(median(rounds.map((round) => quantile(round.get(what) ?? [], 0.5)))),
    p99Micros: micros(median(rounds.map((round) => quantile(round.get(what) ?? [], 0.99)))),
  }));
}

async function timedBlock(work: Case): Promise<number[]> {
  const took: number[] = [];
  for (let call = 0; call < BLOCK; call++) {
    const start = process.hrtime.bigint();
    const result = work();
    if (result instanceof Promise) await result;
    took.push(Number(process.hrtime.bigint() - start));
  }
  return took;
}

async function verifications(deployed: Deployed): Promise<Timing[]> {
  const { mintAppId, isGenuineAppId, signingKey } = deployed;
  const appId = mintAppId();
  const privateKey = randomBytes(32).toString('base64url');
  const keys = [signingKey(appId, privateKey), signingKey(appId, 'another key')];
  const nonce = randomBytes(16).toString('hex');
  const body = JSON.stringify({ productId: 'coins-60', provider: 'sandbox' });
  const timeStamp = Math.floor(Date.now() / 1000);
  const identity = { appId, privateKey, timeStamp, nonce };
  const ours = (path: string, query: string): Case => {
    const text = signV2({ ...identity, httpMethod: 'POST', path, query, body });
    const request = { method: 'POST', path, rawQuery: query, bodySha256: bodySha256(body) };
    return () => prove(deployed, text, keys, request);
  };
  const session = sessionTokens(deployed, { appId, timeStamp: String(timeStamp), nonce, body });
  const v1 = signV1({ ...identity, method: 'SHA1' });
  const anyRequest = { method: 'GET', path: '/', rawQuery: '', bodySha256: '' };

  const { jose, JwtVerifier } = await jwtLibraries();
  const secret = randomBytes(32);
  const claims = { sub: appId, scope: 'login data:read recharge', jti: nonce };
  const hs256 = await new jose.SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(secret);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const issuer = 'https://issuer.example';
  const rs256 = await new jose.SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .setIssuer(issuer)
    .setAudience('miniapp')
    .setExpirationTime('1h')
    .sign(rsa.privateKey);
  const verifier = JwtVerifier.create({ issuer, audience: 'miniapp', jwksUri: `${issuer}/jwks.json` });
  verifier.cacheJwks({ keys: [{ ...(await jose.exportJWK(rsa.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }] });
  return interleaved(
    {
      'nothing (only the clock)': () => undefined,
      'access_token v1 (SHA1)': () => prove(deployed, v1, keys, anyRequest),
      'access_token v2 (HMAC-SHA256, POST /recharge)': ours('/recharge', ''),
      'access_token v2 with a Chinese path and a query': ours('/recharge/订单 1', 'b=2&a=%20x'),
      'session token v3 (POST /recharge)': session(process.env.SIGNING_KEY),
      'session token v3, key of a former signing key': session(process.env.SIGNING_KEY_OLD),
      'session token v3, forged, one former signing key': session(undefined),
      'named token': () => deployed.parseAccessToken(json(`{"AppID":"${appId}"}`)),
      'check of an AppID (isGenuineAppId)': () => isGenuineAppId(appId),
      'jose HS256 (jwtVerify)': () => jose.jwtVerify(hs256, secret),
      'jose RS256 (jwtVerify)': () => jose.jwtVerify(rs256, rsa.publicKey),
      'aws-jwt-verify RS256 (verifySync, key cached)': () => verifier.verifySync(rs256),
    },
    WARM_UP,
    TIMED,
  );
}

/** Verifications of tokens that a session signed, by the secret that made its key. undefined: a secret nobody has. */
function sessionTokens(
  { parseAccessToken, isInWindow, sessionSigner, textOfSession }: Deployed,
  call: { appId: string; timeStamp: string; nonce: string; body: string },
): (secret: string | undefined) => Case {
  const { appId, timeStamp, nonce, body } = call;
  const session = `${randomBytes(16).toString('base64url')}.${randomBytes(16).toString('base64url')}`;
  const request = { method: 'POST', path: '/recharge', rawQuery: '', bodySha256: bodySha256(body) };
  const idempotencyKey = randomBytes(16).toString('hex');
  const unsigned: AccessToken = {
    signatureMethod: 'SESSION-HMAC-SHA256',
    appId,
    session,
    timeStamp,
    nonce,
    signature: '',
  };
  return (secret) => {
    const signingKey = secret ? Buffer.from(secret, 'hex') : randomBytes(32);
    const key = createHmac('sha256', signingKey).update(`MPC3\n${appId}\n${session}`).digest('base64url');
    const signature = createHmac('sha256', key)
      .update(textOfSession(unsigned, request, idempotencyKey) ?? '')
      .digest('hex');
    const { signatureMethod } = unsigned;
    const text = json(JSON.stringify({ signatureMethod, AppID: appId, session, timeStamp, nonce, signature }));
    return () => {
      const token = parseAccessToken(text);
      if (typeof token === 'string') throw new Error(`refused: ${token}`);
      const proven = isInWindow(token, Date.now() / 1000) && sessionSigner(token, request, idempotencyKey);
      if (Boolean(proven) !== (secret !== undefined)) throw new Error('the session was judged wrongly');
    };
  };
}

/** Parses, signs again with two keys as the authorizer does, compares in constant time, checks the time. */
function prove(deployed: Deployed, text: string, keys: readonly SigningKey[], request: SignedRequest): void {
  const { parseAccessToken, partsToSign, signatureOf, signaturesEqual, isInWindow } = deployed;
  const token = parseAccessToken(text);
  if (typeof token === 'string') throw new Error(`refused: ${token}`);
  const parts = partsToSign(token, request) ?? [];
  const [first] = keys.filter((key) =>
    signaturesEqual(token.signature, signatureOf(token.signatureMethod as SignatureMethod, parts, key)),
  );
  if (!first || !isInWindow(token, Date.now() / 1000)) throw new Error('refused');
}

const json = (text: string): string => Buffer.from(text).toString('base64');
const HOSTILE: Record<string, string> = {
  'not base64, 2 048 long': '!'.repeat(2_048),
  'base64 of 1 500 brackets': json('['.repeat(1_500)),
  'base64 of 1 500 spaces': json(`{${' '.repeat(1_500)}`),
  'one name of 1 400 letters': json(`{"${'a'.repeat(1_400)}":"x"}`),
  'one value of 1 400 letters': json(`{"nonce":"${'a'.repeat(1_400)}"`),
  '200 members': json(`{${'"nonce":"a",'.repeat(110)}`),
  'bytes that are not UTF-8': Buffer.alloc(1_500, 0xff).toString('base64'),
  '60 000 characters': 'A'.repeat(60_000),
};

const NOBODY = { address: '', account: '' };

async function passwords(): Promise<object[]> {
  const password = 'correct horse battery';
  const hash = await hashPassword(password, NOBODY);
  const timed = async (what: string, work: () => Promise<unknown>) => {
    const took: number[] = [];
    for (let i = 0; i < 30; i++) {
      const start = performance.now();
      await work();
      took.push(performance.now() - start);
    }
    took.sort((a, b) => a - b);
    return {
      what,
      p50Ms: Math.round(quantile(took, 0.5) * 10) / 10,
      p99Ms: Math.round(quantile(took, 0.99) * 10) / 10,
    };
  };
  return [
    await timed('argon2id m=19456 t=2 p=1: hash', () => hashPassword(password, NOBODY)),
    await timed('right password', () => verifyPassword(password, hash, NOBODY)),
    await timed('wrong password', () => verifyPassword('something else', hash, NOBODY)),
    await timed('account that does not exist', () => verifyPassword(password, null, NOBODY)),
  ];
}

/** Measures the import, in a new process each time: a cold start waits for it before the handler runs. */
function coldImports(): object[] {
  const bundles = ['authorizer', 'login', 'account', 'business', 'recharge', 'plugin-token'].map(
    (name) => `dist/${name}.mjs`,
  );
  if (!bundles.every((file) => existsSync(file))) throw new Error('no bundles in dist/: run "npm run build" first');
  const targets = [...bundles.map((file) => `./${file}`), 'jose', 'aws-jwt-verify'];
  const took = new Map(targets.map((target): [string, number[]] => [target, []]));
  for (let round = 0; round < 9; round++) {
    for (const target of targets) took.get(target)?.push(importMs(target));
  }
  return targets.map((target) => ({
    what: target,
    ms: Math.round(median(took.get(target) ?? []) * 10) / 10,
    bytes: target.startsWith('./') ? statSync(target).size : '',
  }));
}

function importMs(target: string): number {
  const script = `const start = performance.now(); await import(${JSON.stringify(target.startsWith('./') ? `${process.cwd()}/${target}` : target)}); console.log(performance.now() - start);`;
  const cwd = target.startsWith('./') ? process.cwd() : import.meta.dirname;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd,
    encoding: 'utf8',
  });
  if (!(Number(stdout) > 0)) throw new Error(`import of ${target} failed: ${stderr.slice(0, 300)}`);
  return Number(stdout);
}

async function run(): Promise<object> {
  const deployed = await asDeployed();
  const verification = await verifications(deployed);
  const p50 = (start: string): number =>
    verification.find(({ what }) => what.startsWith(start))?.p50Micros ?? Number.NaN;
  const parse = Object.entries(HOSTILE).map(([what, text]): [string, Case] => [
    what,
    () => deployed.parseAccessToken(text),
  ]);
  return {
    node: process.version,
    verification,
    timesFasterThanJoseHs256: {
      v1: Math.round((10 * p50('jose HS256')) / p50('access_token v1')) / 10,
      v2: Math.round((10 * p50('jose HS256')) / p50('access_token v2')) / 10,
    },
    'hostile tokens, refused': await interleaved(Object.fromEntries(parse), 500, 5_000),
    passwords: await passwords(),
    'cold imports': coldImports(),
  };
}

if (process.argv[1] === import.meta.filename) console.log(JSON.stringify(await run(), null, 2));
