import { drawEarliness, LEASE_MS, type ReadAnswer, type ReadState } from '../cache/cache.ts';
import { anyHotKey, HOT_SAMPLE } from '../cache/hot-keys.ts';
import { dropScript } from '../cache/scripts.ts';
import { AppError, TokenRefused } from '../errors.ts';
import { type Key, keyFamily } from '../keys.ts';
import {
  activeBlock,
  type BoundRule,
  bindRules,
  type Identities,
  type LockTarget,
  lockedError,
} from '../lock/api-lock.ts';
import { forgetDenial, rememberDenial, rememberedDenial } from '../lock/denial.ts';
import { knownPolicy, learnPolicy, policyKey } from '../lock/policy.ts';
import { evaluate, evaluateBeside } from '../redis.ts';
import { count } from '../telemetry.ts';
import { nonceKey, signatureKey, sinceKey } from './replay-record.ts';
import { admissionScript, giveBackScript } from './script.ts';

/**
 * Admission: everything a call must pass that needs memory, in one HTTP request to Redis. The request's own id is what
 * the replay record holds, so that admission may be sent again after a lost answer without refusing or charging twice.
 */
export interface PresentedToken {
  appId: string;
  /** Which of the app's keys signed it. */
  keyId: string;
  /** Lower-case hex. */
  signature: string;
  nonce: string;
  /** Unix seconds. */
  timeStamp: number;
  /** v1 signatures are recorded by nonce too: they can be read in two ways. */
  version: 1 | 2;
}

/** How the session of a call is to be judged: by its copy in Redis, or as MySQL has just proven it. */
export type SessionCheck =
  | { mode: 'check'; sessionKey: Key; userKey: Key; idleMs: number; graceMs: number }
  | { mode: 'proven'; sessionKey: Key; userKey: Key; fill?: SessionFill };
export interface SessionFill {
  copy: string;
  copyMs: number;
  version: string;
  versionMs: number;
}

export interface CacheRead {
  key: Key;
  /** Existence filter: its key and the hashes that it must hold; absent or unfinished filters say nothing. */
  filter?: { key: Key; hashes: readonly number[] };
  /**
   * apart: the value is big and is fetched beside the script, in the same request. plain: no cache key, handed over as
   * it is, `<life left in ms>;<value>` or '' when absent; nothing is leased.
   */
  kind?: 'apart' | 'plain';
  /** Name under which a sampled hit counts towards the hot keys. */
  hot?: string;
}

export interface AdmissionRequest {
  requestId: string;
  token: PresentedToken;
  /** All but GET: refused for a switched-off app at once, and after a flush for tokens stamped before it. */
  unsafe: boolean;
  session?: SessionCheck;
  targets: readonly LockTarget[];
  identities: Identities;
  reads: readonly CacheRead[];
}

export type Admission =
  | { verdict: 'admitted'; session: string; sessionExtended: boolean; reads: ReadAnswer[]; rules: BoundRule[] }
  /** The session's copy is not in Redis: ask MySQL, then admit again with the proof. */
  | { verdict: 'session-absent'; state: ReadState };

/** Throws REPLAYED, LOGIN_EXPIRED, SESSION_REVOKED, LOCKED, TokenRefused; EngineError when Redis does not answer. */
export async function admit(request: AdmissionRequest): Promise<Admission> {
  for (let attempt = 1; ; attempt++) {
    const rules = bindRules(request.targets, request.identities);
    const remembered = rememberedDenial(rules);
    if (remembered) throw remembered;
    const [answer, ...apart] = await evaluateBeside<string[]>(
      admissionScript,
      ...pack(request, rules),
      readApart(request.reads),
    );
    if (answer[0] === 'policy' && attempt < 4) await learn(request, answer);
    else return judge(answer, request, rules, apart);
  }
}

/** The operator changed a rule: learn it, then the call is sent again. What nobody can read is removed. */
async function learn(request: AdmissionRequest, answer: string[]): Promise<void> {
  for (let i = 1; i + 1 < answer.length; i += 2) {
    const target = request.targets[Number(answer[i]) - 1];
    const stored = answer[i + 1] as string;
    if (!target || learnPolicy(target.name, stored)) continue;
    count('lock.policy-unreadable');
    await evaluate(dropScript, [policyKey(target.name)], [stored]);
  }
}

function judge(
  answer: string[],
  request: AdmissionRequest,
  rules: BoundRule[],
  apart: Array<string | null>,
): Admission {
  const [verdict, first = '', second = '', third = ''] = answer;
  switch (verdict) {
    case 'admitted':
      for (const index of third.split(',').filter(Boolean)) {
        count(`lock.shadow.${rules[Number(index) - 1]?.rule.name}`);
      }
      return {
        verdict: 'admitted',
        session: first,
        sessionExtended: second === '1',
        reads: readAnswers(answer, request.reads, apart),
        rules,
      };
    case 'absent':
      return { verdict: 'session-absent', state: first as ReadState };
    case 'locked':
      throw locked(Number(first), Number(second), request, rules);
    case 'replayed':
    case 'since':
      count(`admission.${verdict}`);
      throw new AppError('REPLAYED');
    case 'expired':
      throw new AppError('LOGIN_EXPIRED');
    case 'revoked':
      throw new AppError('SESSION_REVOKED');
    case 'app-off':
      count('access-token.app-off');
      throw new TokenRefused();
    default:
      throw new Error('admission gave no known verdict');
  }
}

function readAnswers(answer: string[], reads: readonly CacheRead[], apart: Array<string | null>): ReadAnswer[] {
  let next = 0;
  return reads.map((read, i) => {
    const state = answer[4 + 2 * i] as ReadState;
    if (read.kind !== 'apart') return { state, stored: answer[5 + 2 * i] ?? '' };
    const stored = apart[next++] ?? '';
    if (state !== 'hit' && state !== 'stale' && state !== 'refresh') return { state, stored: '' };
    // Between script and value a writer came: what it left is not ours to fill.
    return /^[JZN]/.test(stored) ? { state, stored } : { state: 'bypass', stored: '' };
  });
}

function locked(index: number, waitMs: number, request: AdmissionRequest, rules: BoundRule[]): AppError {
  const bound = rules[index - 1];
  const seconds = Math.ceil(waitMs / 1000);
  if (!bound) {
    const block = activeBlock(request.targets, request.identities);
    count('lock.refused.operator-block');
    return lockedError({ name: block?.rule ?? 'operator-block', limit: 0, windowSeconds: seconds }, seconds);
  }
  count(`lock.refused.${bound.rule.name}`);
  rememberDenial(bound, waitMs);
  return lockedError(bound.rule, seconds);
}

/** Keys and arguments in the order in which the script takes them. */
function pack(request: AdmissionRequest, rules: readonly BoundRule[]): [Key[], Array<string | number>] {
  const { token, targets, reads, unsafe } = request;
  const now = Date.now();
  const keys: Key[] = [];
  const args: Array<string | number> = [request.requestId, now];

  args.push(targets.length);
  for (const { name } of targets) {
    keys.push(policyKey(name));
    args.push(knownPolicy(name).version);
  }

  args.push(token.timeStamp, unsafe ? '1' : '0', token.version === 1 ? 2 : 1);
  keys.push(sinceKey(token.signature.charAt(0)), signatureKey(token.signature));
  if (token.version === 1) keys.push(nonceKey(token.appId, token.nonce));

  packSession(request.session, keys, args);
  args.push(unsafe ? 'off-mark' : '');
  if (unsafe) {
    keys.push(appOffKey(token.appId));
    args.push(token.keyId);
  }

  const filters = reads.flatMap(({ filter }) => (filter ? [filter.key] : []));
  args.push(drawEarliness(), LEASE_MS, filters.length, reads.length);
  for (const { key, filter, kind } of reads) {
    if (kind !== 'apart') keys.push(key);
    args.push(kind ?? '', filter ? filter.hashes.join(',') : '');
  }

  args.push((activeBlock(targets, request.identities)?.seconds ?? 0) * 1000, rules.length);
  for (const bound of rules) packRule(bound, keys, args);

  const strings = keys.length;
  keys.push(...filters, ...readApart(reads));
  const hot = drawHot(reads);
  if (hot > 0) keys.push(anyHotKey());
  args.push(hot, reads[hot - 1]?.hot ?? '');
  return [keys, [strings, ...args]];
}

const readApart = (reads: readonly CacheRead[]): Key[] =>
  reads.flatMap(({ key, kind }) => (kind === 'apart' ? [key] : []));

function packSession(session: SessionCheck | undefined, keys: Key[], args: Array<string | number>): void {
  args.push(session?.mode ?? '');
  if (!session) return;
  keys.push(session.sessionKey, session.userKey);
  if (session.mode === 'check') {
    args.push(session.idleMs, session.graceMs, LEASE_MS);
  } else if (session.fill) {
    args.push('1', session.fill.copy, session.fill.copyMs, session.fill.version, session.fill.versionMs);
  } else {
    args.push('0');
  }
}

function packRule({ rule, generation, counter, strikes, spare }: BoundRule, keys: Key[], args: Array<string | number>) {
  keys.push(counter);
  const flags = `${rule.extend ? 'e' : ''}${rule.shadow ? 's' : ''}${rule.count === 'miss' ? 'm' : ''}${strikes ? 'x' : ''}${spare ? 'k' : ''}`;
  args.push(generation, rule.limit, rule.windowSeconds * 1000, (rule.lockSeconds ?? 0) * 1000, flags);
  if (strikes && rule.escalate) {
    keys.push(strikes);
    args.push(rule.escalate.factor, rule.escalate.maxSeconds * 1000, rule.escalate.memorySeconds * 1000);
  }
  if (spare) keys.push(spare);
}

/** Which of the reads is counted as read often, from 1; 0: none, as in 63 of 64 calls. */
const drawHot = (reads: readonly CacheRead[]): number =>
  reads[0]?.hot !== undefined && Math.random() * HOT_SAMPLE < 1 ? 1 + Math.floor(Math.random() * reads.length) : 0;

/**
 * Stands for as long as a warm authorizer may still hold the app's record: `off`, or the ids of its revoked keys.
 * Calls that change something are refused by it at once.
 */
export const appOffKey = keyFamily<[string]>({
  area: 'cache',
  name: 'app-off',
  version: 1,
  parts: ['id'],
  ttlSeconds: 180,
});

/**
 * Gives back what `failure` rules charged, after a success, and sets the mark that spares this caller from now on.
 * One request; sent twice it gives back once.
 */
export async function giveBack(
  request: Pick<AdmissionRequest, 'requestId' | 'token'>,
  rules: readonly BoundRule[],
  mark?: { key: Key; seconds: number },
): Promise<void> {
  const charged = rules.filter(({ rule }) => rule.count === 'failure');
  if (charged.length === 0 && !mark) return;
  const keys = [signatureKey(request.token.signature)];
  const args: Array<string | number> = [];
  for (const { counter, generation, rule, spare } of charged) {
    keys.push(counter, ...(spare ? [spare] : []));
    args.push(generation, rule.limit, spare ? 'k' : '');
  }
  if (mark) keys.push(mark.key);
  for (const bound of charged) forgetDenial(bound);
  await evaluate(giveBackScript, keys, [request.requestId, mark ? mark.seconds * 1000 : '', ...args]);
}
