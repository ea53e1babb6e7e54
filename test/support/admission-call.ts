import { randomBytes, randomUUID } from 'node:crypto';
import { type Admission, admit } from '../../shared/admission/admission.ts';
import type { AdmissionRequest, CacheRead } from '../../shared/admission/request.ts';
import { AppError, TokenRefused } from '../../shared/errors.ts';
import { keyFamily } from '../../shared/keys.ts';
import type { Identities, LockRule } from '../../shared/lock/rule.ts';

export const readKey = keyFamily<[string]>({
  area: 'cache',
  name: 'admitted',
  version: 1,
  parts: ['id'],
  ttlSeconds: 600,
});

export const rule = (more: Partial<LockRule>): LockRule => ({
  name: 'rule',
  by: ['app'],
  limit: 3,
  windowSeconds: 60,
  count: 'call',
  onError: 'closed',
  ...more,
});

/** A new call by a new session, so that the denial memory has no entry for it unless `more` names another session. */
export function requestOf(
  rules: readonly LockRule[],
  more: { identities?: Identities; reads?: readonly CacheRead[]; target?: string } & Partial<AdmissionRequest> = {},
): AdmissionRequest {
  const { target = 'data:test', identities, ...rest } = more;
  return {
    requestId: randomUUID(),
    token: {
      appId: 'app',
      keyId: 'k',
      signature: randomBytes(32).toString('hex'),
      nonce: randomBytes(12).toString('hex'),
      timeStamp: Math.floor(Date.now() / 1000),
      version: 2,
    },
    unsafe: false,
    targets: [{ name: target, rules }],
    identities: { app: 'app', ip: '192.0.2.1', session: randomUUID(), ...identities },
    reads: [],
    ...rest,
  };
}

interface Verdict {
  /** `admitted`, or the code of the refusal. */
  verdict: string;
  /** The rule that refused. */
  by: string;
  retryAfter: number;
  admission?: Admission;
  error?: AppError;
}

/** Whether a call passes, and which rule refused it. */
export async function verdictOf(request: AdmissionRequest): Promise<Verdict> {
  try {
    const admission = await admit(request);
    return { verdict: admission.verdict, by: '', retryAfter: 0, admission };
  } catch (error) {
    if (error instanceof TokenRefused) return { verdict: 'token-refused', by: '', retryAfter: 0 };
    if (!(error instanceof AppError)) throw error;
    const { headers, retryAfterSeconds } = error.refusal;
    const by = /^"([^"]+)"/.exec(headers?.ratelimit ?? '')?.[1] ?? '';
    return { verdict: error.code, by, retryAfter: retryAfterSeconds ?? 0, error };
  }
}
