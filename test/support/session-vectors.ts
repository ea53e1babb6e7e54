import { readFileSync } from 'node:fs';

interface VectorCall {
  method: string;
  path: string;
  query: string;
  idempotencyKey: string;
  body: string;
}

interface SessionVectors {
  now: number;
  SIGNING_KEY: string;
  SIGNING_KEY_OLD: string;
  AppID: string;
  session: { session: string; sid: string; key: string; keyUnderOld: string; keyAtOtherApp: string; sessionId: string };
  ok: Array<{ name: string; call: VectorCall; toSign: string; signature: string; token: string }>;
  judged: Array<{ name: string; call: VectorCall; token: string; verdict: string }>;
}

const file = new URL('./vectors/session-token.json', import.meta.url);
/** Known answers of v3 that were computed outside the project. */
export const sessionVectors = JSON.parse(readFileSync(file, 'utf8')) as SessionVectors;
